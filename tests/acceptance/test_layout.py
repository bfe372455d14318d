"""Real processes whose settings have another number of shards than the store was made with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("words", [["worker", "--concurrency", "2"], ["beat"]])
def test_a_worker_and_a_beat_end_with_a_clear_sentence(redis_server, store, words):
    store.layout.ensure()
    settings = {
        "PARLEY_REDIS_URL": redis_server.url,
        "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
        "PARLEY_PERSONAS__AVA__API_KEY": "ft_sk_ava",
        "PARLEY_AGENDA__SHARDS": "8",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker", *words],
        env={**os.environ, "PYTHONPATH": str(PROJECT), **settings},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    for sentence in ("made with 16 shards, PARLEY_AGENDA__SHARDS is 8", "set PARLEY_AGENDA__SHARDS to 16"):
        assert sentence in ended.stdout + ended.stderr
