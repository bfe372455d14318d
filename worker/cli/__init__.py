"""The ``parley`` command: the operator's hand and eyes. Also runs as ``python -m worker.cli``."""

from worker.cli.command import main

__all__ = ["main"]
