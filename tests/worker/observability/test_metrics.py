"""Figures of forked processes, beside a process that is only just starting."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from prometheus_client import generate_latest

from worker.observability import metrics

COUNTS = "from prometheus_client import Counter; Counter('parley_turns', 'Turns.').inc()"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def test_a_file_that_another_process_has_only_just_made_does_not_cost_the_figures(folder):
    subprocess.run([sys.executable, "-c", COUNTS], env={**os.environ}, check=True)
    assert len(list(folder.glob("*.db"))) == 1
    (folder / "counter_4711.db").touch()
    assert b"parley_turns_total 1.0" in generate_latest(metrics.worker_registry())
