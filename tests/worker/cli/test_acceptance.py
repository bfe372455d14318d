"""The command as an operator runs it: a process of its own, beside a real worker, a real store and real HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from config.settings import load
from simulation.servers.system import RunningSystem
from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def running():
    with RunningSystem(settings={"PARLEY_JOIN__SETTLE_SECONDS": "0"}) as started:
        yield started


@pytest.fixture
def system(running):
    """The system, with nothing stored and nobody called so far."""
    with Redis.from_url(running.redis.url) as redis:
        redis.flushall()
    running.upstreams.reset()
    return running


@pytest.fixture
def run(system, tmp_path):
    """``python -m worker.cli`` with the settings of the system."""

    def parley(*words):
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        environment = {**outside, **system.environment, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "worker.cli", *words]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return parley


@pytest.fixture
def look(run_command, say, tmp_path, monkeypatch):
    """The same in this process, where that it is a process of its own has been seen."""
    monkeypatch.chdir(tmp_path)
    return run_command


@pytest.fixture
def say(system, channel, monkeypatch):
    """The lead writes."""
    for name, value in system.environment.items():
        monkeypatch.setenv(name, value)
    with Producer(load(env_file=None)) as producer:
        yield lambda event_id, message: producer.enqueue(
            InboundChat(event_id=event_id, persona="ava", target="@lead", message=message, channel=channel)
        )


@pytest.fixture
def store(say):
    """What the system has stored, without a process for each look."""
    with contextlib.closing(Store(load(env_file=None), connections=1)) as opened:
        yield opened


def test_a_dead_letter_is_replayed_and_answered(system, run, look, say, store, eventually):
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, service="fluidtalk", status=422, body={"detail": "no"}))
    say("e1", "my PLANTED words")
    eventually(store.dead_letters.newest, "the dead letter")
    assert len(json.loads(run("dead", "list", "--json").stdout)) == 1
    assert "refused by the persona (status 422)" in look("explain", "ava", "@lead").out.splitlines()[0]
    system.upstreams.clear_faults()
    replayed = run("dead", "replay", "e1", "ava", "@lead")
    assert (replayed.returncode, replayed.stderr) == (0, "")
    eventually(lambda: system.upstreams.deliveries("session-1"), "the answer")
    eventually(lambda: store.books.accounts()[0].answered, "the fate")
    assert "as answered" in look("explain", "ava", "@lead").out.splitlines()[0]
    books = look("books", "--json").out
    (account,) = json.loads(books)
    assert (account["accepted"], account["answered"], account["dead"], account["unexplained"]) == (1, 1, 0, 0)
    outputs = [look("dead", "list").out, look("explain", "ava", "@lead").out, books]
    assert not [output for output in outputs if "PLANTED" in output]


def test_a_refused_delivery_is_sent_again_without_a_second_ask(system, run, say, store, eventually):
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, service="captivate", status=422))
    say("e1", "hi")
    eventually(store.dead_letters.newest, "the dead letter")
    system.upstreams.clear_faults()
    done = run("dead", "replay-all", "--cause", "delivery refused", "--yes")
    assert done.returncode == 0, done.stderr
    (delivery,) = eventually(lambda: system.upstreams.deliveries("session-1"), "the answer")
    assert [message["text"] for message in delivery.messages] == ["You said: hi"]
    assert len([call for call in system.upstreams.calls() if call.service == "fluidtalk"]) == 1


def test_a_quarantined_persona_is_resumed(system, run, look, say, store, eventually):
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, service="fluidtalk", status=401))
    say("e1", "hi")
    eventually(lambda: store.personas.gates("ava"), "the quarantine")
    # The gate closes in front of all before the turn that found it is over.
    why = "FluidTalk refuses the key of ava"
    eventually(lambda: why in look("explain", "ava", "@lead").out.splitlines()[0], "the reason")
    say("e2", "anybody there?")
    system.upstreams.clear_faults()
    resumed = run("resume", "ava")
    assert "Opened: quarantined (key refused (401))" in resumed.stdout
    eventually(lambda: system.upstreams.deliveries("session-1"), "the answer")
    assert [call.fields["message"] for call in system.upstreams.calls() if call.service == "fluidtalk"][-1] == (
        "hi\nanybody there?"
    )


def test_status_knows_the_processes_that_run(system, look, eventually):
    well = eventually(lambda: (ended := look("status", "--check")).status == 0 and ended, "signs of life", 60)
    assert well.out.startswith("All well: 1 worker, 1 beat; nothing waits.")


def test_help_names_every_command(run_command):
    told = run_command("--help").out + run_command("dead", "--help").out
    for command in (
        "status",
        "watch",
        "forget",
        "follow-ups",
        "discard",
        "books",
        "check",
        "pause",
        "resume",
        "explain",
        "dead",
        "list",
        "show",
        "replay",
        "replay-all",
    ):
        assert command in told
