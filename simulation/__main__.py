"""``python -m simulation``: what ``doubles`` does, when what it needs is installed."""

from __future__ import annotations

import sys

from simulation.extra import need

if __name__ == "__main__":
    need("python -m simulation")
    from simulation.doubles import main

    sys.exit(main())
