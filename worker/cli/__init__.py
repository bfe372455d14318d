"""The ``parley`` command: the operator's hand and eyes. Also runs as ``python -m worker.cli``."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

__all__ = ["main", "run"]


def main() -> None:
    """Run the command that the arguments name. Raises ``SystemExit`` with its exit status."""
    from worker.cli import command

    command.main()


def run() -> None:
    """The program: ``main``, and the end of the process."""
    # Nothing of what a command loads is garbage: looking for some costs a fifth of a short command.
    gc.disable()
    # Looking for plugins of pydantic among all installed packages costs it a fiftieth, and no command wants one.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # noqa: TID251 - not a setting of ours
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # Taking hundreds of modules apart costs a command another tenth, and the system does it anyway.
    os._exit(status)
