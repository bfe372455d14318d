"""``python -m worker.simulation``: what ``doubles`` does, when what it needs is installed."""

from __future__ import annotations

import sys

from worker.simulation.extra import need

if __name__ == "__main__":
    need("python -m worker.simulation")
    from worker.simulation.doubles import main

    sys.exit(main())
