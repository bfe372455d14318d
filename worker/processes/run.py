"""``make run``: a worker and a beat against the real services, with the keys from ``.env``; both end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from config.settings import SettingsError, load

_COMMANDS = (("worker",), ("beat",))
# As in the image. The C library reads it when a process starts, so a worker cannot set it for itself.
_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


def main() -> int:
    """Run until a signal or until one of the two ends. Returns the exit status."""
    try:
        load()
    except SettingsError as error:
        print(f"{error}\nCopy .env.example to .env and fill it in.", file=sys.stderr)
        return 2
    variables = {**_MEMORY, **os.environ}  # noqa: TID251 - handed on, not read
    processes: list[subprocess.Popen[bytes]] = []

    def stop(_number: int = 0, _frame: FrameType | None = None) -> None:
        for process in processes:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for command in _COMMANDS:
        program = [sys.executable, "-m", "celery", "-A", "worker", *command]
        processes.append(subprocess.Popen(program, env=variables))  # noqa: S603 - ours
    while all(process.poll() is None for process in processes):
        time.sleep(0.2)
    stop()
    return max(_status(process.wait()) for process in processes)


def _status(code: int) -> int:
    # A process that gets its signal before it handles signals has done nothing yet.
    return 0 if code == -signal.SIGTERM else abs(code)


if __name__ == "__main__":
    sys.exit(main())
