"""``make run``: what it starts, and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = pytest.mark.acceptance

COMMAND = [sys.executable, "-m", "worker.processes.run"]


def test_worker_and_beat_run_until_a_signal(start, channel, eventually):
    system, settings = start(workers=0, beats=0, settings={"PARLEY_JOIN__SETTLE_SECONDS": "0.2"})
    run = subprocess.Popen(
        COMMAND, env={**os.environ, **system.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with Producer(settings) as producer:
            producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
        # A message that may be followed by others has no doorbell: beat rings, the worker answers.
        eventually(lambda: system.upstreams.deliveries("session-1"), "the answer", seconds=90)
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        for process in (*children, system.start_worker(wait=False).pid):
            # Empty for a moment: Popen returns before Linux has told the new program's variables.
            variables = eventually(Path(f"/proc/{process}/environ").read_bytes, "the variables of a process")
            assert b"GLIBC_TUNABLES=glibc.malloc.tcache_count=0" in variables.split(b"\0")
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 0
    finally:
        # Not killed: what it has started would go on for ever.
        run.terminate()
        run.wait(60)


def test_a_signal_before_worker_and_beat_are_up_is_no_failure(redis_server, eventually):
    settings = {"PARLEY_REDIS_URL": redis_server.url, "PARLEY_CAPTIVATE__ENVIRONMENT": "dev"}
    settings["PARLEY_PERSONAS__AVA__API_KEY"] = "ft_sk_ava"
    run = subprocess.Popen(
        COMMAND, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        eventually(lambda: len(children.read_text().split()) == 2, "both processes")
    finally:
        run.terminate()
    assert run.wait(60) == 0


def test_without_settings_it_says_what_is_missing_and_what_to_do(tmp_path):
    ended = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        check=False,
    )
    assert ended.returncode == 2
    assert "PARLEY_CAPTIVATE__ENVIRONMENT to dev or prod" in ended.stderr
    assert "Copy .env.example to .env" in ended.stderr
