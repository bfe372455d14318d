"""Which processes of ours run on this machine, and where each one is asked how it is: a small file for each.

A port alone does not tell who listens there: another process can have taken it, and a process that is frozen keeps
it. So each process says in a file where it listens and which token its answers carry. A container has a directory of
its own for these files and sees only its own processes.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

# The header of an answer that carries the token.
HEADER = "Parley-Process"

_STOPPED = ("T", "t")


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a process says of itself. ``born``: when it started, as the system counts; '' = the system does not tell.

    ``first_port``: the first port of its settings, which processes that belong together share. ``port``: where it is
    asked; 0 = it found no free one.
    """

    pid: int
    born: str
    first_port: int
    address: str
    port: int
    token: str

    @property
    def is_stopped(self) -> bool:
        """Whether the process is frozen: it exists and does nothing until someone continues it."""
        return _state(self.pid)[0] in _STOPPED


def new_token() -> str:
    """A name for this process that no other has."""
    return secrets.token_hex(8)


def announce(first_port: int, address: str, port: int, token: str) -> Path | None:
    """Say where this process listens. Returns the file, to be removed at its end; None when it cannot be written."""
    pid = os.getpid()
    said = Announcement(pid, _state(pid)[1], first_port, address, port, token)
    try:
        file = _directory() / f"{pid}.json"
        written = file.with_suffix(f".{token}")
        written.write_text(json.dumps(asdict(said)), encoding="utf-8")
        written.replace(file)
    except OSError:
        return None
    return file


def withdraw(file: Path | None) -> None:
    """This process ends, or listens no longer."""
    if file is not None:
        with suppress(OSError):
            file.unlink()


def announced(first_port: int) -> list[Announcement]:
    """The processes of this user on this machine that live and have this first port in their settings, by age.

    Files of processes that ended without a word are removed.
    """
    try:
        files = sorted(_directory().glob("*.json"))
    except OSError:
        return []
    return sorted(
        (said for said in _living(files) if said.first_port == first_port), key=lambda said: (said.port, said.pid)
    )


def _living(files: list[Path]) -> Iterator[Announcement]:
    for file in files:
        try:
            said = Announcement(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        state, born = _state(said.pid)
        if state in ("", "Z", "X") or born != said.born:
            withdraw(file)
        else:
            yield said


def _state(pid: int) -> tuple[str, str]:
    # State and start of a process; '' for one that does not exist, '?' where the system has no /proc.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return "", ""
    except OSError:
        return "", ""
    else:
        return fields[0], fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "", ""
    except PermissionError:
        pass
    return "?", ""


def _directory() -> Path:
    directory = Path(tempfile.gettempdir()) / f"parley-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    about = directory.lstat()
    if directory.is_symlink() or about.st_uid != os.getuid() or about.st_mode & 0o022:
        # Another user made it: its content is not ours.
        raise OSError(f"{directory} belongs to another user")
    return directory
