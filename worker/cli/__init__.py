"""The ``parley`` command: the operator's hand and eyes. Also runs as ``python -m worker.cli``."""

from __future__ import annotations

import gc

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name; ends the process with its exit status."""
    # Nothing of what is loaded now is ever garbage: looking for some costs a fifth of a short command.
    gc.disable()
    from worker.cli import command

    command.main()
