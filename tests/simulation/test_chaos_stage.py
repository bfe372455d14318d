"""What chaos does to a system, and what it says of one that breaks by itself."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from simulation.chaos.stage import Stage


def test_a_worker_that_ends_by_itself_is_counted_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    worker = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    worker.wait()
    system: Any = SimpleNamespace(
        redis=SimpleNamespace(url="redis://127.0.0.1:1"),
        beats=[],
        workers=[worker],
        log_of=lambda kind, number: f"{kind}-{number}: first line\nthe cause",
        start_worker=lambda settings, wait: SimpleNamespace(pid=1, poll=lambda: None),
    )
    stage = Stage(system, SimpleNamespace(), 1, workers=1, crash_points=False, clocks=False)
    stage.look()
    assert stage.incidents.counts() == {"worker ended by itself (exit status 3)": 1}
    assert "worker-0 ended by itself, and said last:\nworker-0: first line\nthe cause" in caplog.text
