"""Child processes that end when their parent ends, however it ends.

The command runs through this file, started as a script: it asks the kernel for SIGKILL at the parent's death
(``prctl``, Linux) and then becomes the command, keeping its process id. No Python runs between fork and exec, so
this is safe in programs with threads. On other systems the child only checks that its parent is alive at the start.

The kernel looks at the *thread* that started the child: start it from one that lives as long as it is needed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tied_command(command: Sequence[str]) -> list[str]:
    """The command line that starts ``command`` (first word: an absolute path) so that it dies with this process."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(os.getpid()), *command]


def _become(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused to tie this process to its parent")
    # The parent may have ended before the kernel was asked.
    if os.getppid() != parent:
        sys.exit("the parent ended before its child started")
    os.execv(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
