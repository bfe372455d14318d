"""Starting and ending the processes of a simulated system."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulation.tied_process import tied_command


def start(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a command, whose first word is an absolute path, as a process that ends when this one does.

    ``log``: the file to which its output is appended; without one nothing is kept.
    """
    with (log or Path("/dev/null")).open("ab") as output:
        return subprocess.Popen(
            tied_command(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=env
        )


def end(*processes: subprocess.Popen[bytes] | None, seconds: float = 10.0) -> None:
    """SIGTERM to all of these that run; SIGKILL to each that is not gone ``seconds`` later."""
    running = [process for process in processes if process is not None and process.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
