"""The child process in which a suspect is tried: one turn, and nothing else (``worker/pipeline/trials.py``).

It ends with its parent, whose process id is its argument: only the parent counts how it ended.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from contextlib import suppress
from pathlib import Path

from worker import bootstrap
from worker.domain.conversation import Conversation
from worker.observability import logs
from worker.pipeline import failpoints
from worker.pipeline.trials import Task, told
from worker.pipeline.turn_result import LEFT
from worker.store import StoreError

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the turn that the parent names. Returns the exit status."""
    _end_with_parent(int(sys.argv[1]))
    _end_before_parent()
    # Only the parent can write to it.
    task = Task(*pickle.load(sys.stdin.buffer))  # noqa: S301
    logs.configure(task.settings.worker, task.settings.privacy)
    failpoints.arm_for_event(task.settings.worker.crash_at)
    parts = bootstrap.build(task.settings, ahead=task.ahead, alone=True)
    try:
        result = parts.turns.run_alone(Conversation.of_name(task.conversation), task.token)
    except StoreError:
        # The step stays open, as after any other turn that could not store what it did: its call may have been made.
        result = LEFT
    finally:
        parts.close()
    print(told(result), flush=True)
    return 0


def _end_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        # The kernel looks at the thread that started this process, and that one waits for its end.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")


def _end_before_parent() -> None:
    # When memory is short, Linux ends the process that has most of it, which is the worker unless its child says this.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main())
