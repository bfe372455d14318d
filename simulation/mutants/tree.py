"""A private copy of the project, in which lines are changed: what is killed on the way leaves the project as it was."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulation.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
# What a machine has of its own: no secrets, no caches, no environment.
_OWN = (
    ".git",
    ".venv",
    ".cache",
    ".mutants",
    "*_cache",
    ".hypothesis",
    ".env",
    "personas.toml",
    "secrets",
)
_OUTPUTS = ("build", "dist", "*.egg-info", "*.rdb", "appendonlydir", "celerybeat-schedule*", "flower.db*")

_SECONDS = itertools.count(1)


@contextmanager
def copied(root: Path = ROOT) -> Iterator[Path]:
    """A copy of the project in a temporary folder, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="parley-mutants-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*_OWN, *_OUTPUTS))
        yield copy


@contextmanager
def changed(tree: Path, mutant: Mutant) -> Iterator[None]:
    """The copy with the line of ``mutant`` changed, for as long as the block runs."""
    path = tree / mutant.file
    text, known = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(mutant.of(text), encoding="utf-8")
    # Compiled code is known by second and length: each mutant gets a second of its own.
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns + next(_SECONDS) * 1_000_000_000))
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
