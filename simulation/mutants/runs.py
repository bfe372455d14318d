"""Runs of pytest and of the exploration in a copy of the project, as processes of their own with a limit of time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ran:
    """``status``: None = it was ended because its time was over."""

    status: int | None
    output: str
    seconds: float


def run(tree: Path, words: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> Ran:
    """Run ``python WORDS`` in the copy. What it has started ends with it."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "PYTEST_"))},
        # Compiled code is kept also where the environment says otherwise: most of a trial is its start.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'clients/python'}",
        **(env or {}),
    }
    begun_at = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=tree,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    status: int | None
    try:
        output, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        status, output = None, ""
    finally:
        _end(process)
    return Ran(status, output, time.monotonic() - begun_at)


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
