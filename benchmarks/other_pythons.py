"""Interpreters of this machine, each with the requirements of the image in an environment of its own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")

_SOURCE = Path(__file__).absolute().parents[1]
_REQUIREMENTS = _SOURCE / "requirements" / "base.txt"
_ENVIRONMENTS = _SOURCE / "build" / "pythons"


def python_of_the_image() -> str:
    """The version that the Dockerfile uses unless told otherwise."""
    found = re.search(r"^ARG PYTHON=(\S+)$", (_SOURCE / "Dockerfile").read_text(), re.MULTILINE)
    if not found:
        raise RuntimeError("the Dockerfile has no line 'ARG PYTHON=...'")
    return found[1]


def find_python(version: str) -> str | None:
    """The path of an interpreter of this version, such as 3.12: on PATH, or of pyenv. None: there is none."""
    return next((path for path in map(str, _candidates(version)) if _has_version(path, version)), None)


def environment(version: str) -> str | None:
    """The path of an interpreter of this version that has the requirements of the image; None without the version.

    The environment is made once, in ``build/pythons``, and again when the requirements change.
    Raises ``RuntimeError`` with what the installer said.
    """
    python = find_python(version)
    if python is None:
        return None
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = _ENVIRONMENTS / f"{version}-{digest}"
    ready, own = place / ".ready", str(place / "bin" / "python")
    if not ready.exists():
        shutil.rmtree(place, ignore_errors=True)
        _run([python, "-m", "venv", str(place)])
        install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
        _run([own, *install, "-r", str(_REQUIREMENTS)])
        ready.touch()
    return own


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr}")


def _candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)


def _has_version(path: str, version: str) -> bool:
    # A shim of pyenv is there for versions that are not active, and then fails.
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    told = subprocess.run([path, "-c", script], capture_output=True, text=True, check=False)
    return told.returncode == 0 and told.stdout.strip() == version
