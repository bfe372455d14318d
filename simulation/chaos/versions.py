"""An older version of this code, checked out beside this one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).absolute().parents[2]


_CHARACTERS = "worker/adapters/characters.py"
# Consent, and the cap for each lead, which came after it.
_CONSENT = ("worker/domain/consent.py", "worker/pipeline/lead_frequency.py")
_SAYS = "worker/store/lua/say.lua"
# Where each release names the steps of a turn at which it can be killed.
_FAILPOINTS = ("worker/pipeline/failpoints.py", "worker/crash_points.py")


class NoSuchVersion(Exception):
    """git does not have that version, or this is no git repository."""


@dataclass(frozen=True, slots=True)
class Version:
    """``root``: the folder that holds its packages."""

    root: Path

    def has_crash_point(self, name: str) -> bool:
        """Whether its turns pass a step of this name."""
        return any(f'"{name}"' in text.read_text() for text in map(self.root.joinpath, _FAILPOINTS) if text.exists())

    @property
    def knows_characters(self) -> bool:
        """Whether it can have personas of the Characters API."""
        return self.root.joinpath(_CHARACTERS).exists()

    @property
    def knows_consent(self) -> bool:
        """Whether a STOP opts out, and a lead can have a cap."""
        return all(self.root.joinpath(name).exists() for name in _CONSENT)

    @property
    def knows_say(self) -> bool:
        """Whether it delivers what an operator says in a persona's place."""
        return self.root.joinpath(_SAYS).exists()


@contextmanager
def checked_out(reference: str) -> Iterator[Version]:
    """A git worktree of ``reference`` (any name of a commit) in a temporary place, removed at the end.

    Raises ``NoSuchVersion``.
    """
    with tempfile.TemporaryDirectory(prefix="chaos-version-") as folder:
        root = Path(folder, "old")
        _git("worktree", "add", "--detach", str(root), reference)
        try:
            yield Version(root)
        finally:
            _git("worktree", "remove", "--force", str(root))


def _git(*words: str) -> None:
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoSuchVersion(f"git could not be started: {error}") from error
    if done.returncode:
        raise NoSuchVersion(f"git {words[0]} {words[1]}: {done.stderr.strip()}")
