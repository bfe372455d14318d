"""The examples as their readers run them: as processes, from the project's folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def run_example() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run an example to its end; the words before the arguments are those of its own documentation."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", *words]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture(scope="module")
def start_example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Start an example that runs on, and return its log once that says ``ready``; it ends with the test module.

    ``variables`` are set besides the usual ones.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, ready: str, **variables: str) -> Path:
        log = tmp_path_factory.mktemp("example") / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=PROJECT,
                env={**os.environ, **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        deadline = time.monotonic() + 90
        while ready not in log.read_text():
            assert process.poll() is None, f"the example ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"the example is not ready after 90 s: {log.read_text()}"
            time.sleep(0.02)
        return log

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(60)
