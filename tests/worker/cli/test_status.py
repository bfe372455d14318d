"""``parley status`` and ``parley watch`` on a real store."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.store.views.recent_moments import Glimpses

ROOT = Path(__file__).parents[3]


@pytest.fixture
def alive(store):
    """A worker and a beat give signs of life."""
    store.processes.sign("worker", 60)
    store.processes.sign("beat", 60)


def test_all_well(parley, store, alive, chat):
    assert parley("status", "--check").status == 0
    store.inbox.accept(chat("a"))
    ended = parley("status", "--check")
    lines = ended.out.splitlines()
    assert ended.status == 0
    assert re.fullmatch(r"All well: 1 worker, 1 beat; 1 event waits, the oldest for \d s\.", lines[0])
    rows = {line.split()[0]: line.split()[1:] for line in lines[-2:]}
    waiting, seconds, *others = rows["ava"]
    assert (waiting, seconds.isdigit(), others) == ("1", True, ["s", "0", "none"])
    assert rows["bea"] == ["0", "-", "0", "none"]
    assert "secret" not in ended.out


def test_what_needs_a_person_comes_first(parley, store, die):
    die("a")
    store.personas.quarantine("bea", "key refused (401)")
    ended = parley("status")
    assert ended.status == 0
    lines = ended.out.splitlines()
    assert lines[0].startswith(
        "4 things need you: no worker is alive: none has run so far; no beat is alive: none has run so far; "
        "FluidTalk refuses the key of bea (key refused (401))"
    )
    assert (
        "   to do: parley dead causes, then parley dead replay-all or parley dead discard (docs/alerts/dead-letters.md)"
    ) in lines
    ended = parley("status", "--check")
    assert (ended.status, ended.err) == (1, "Something needs you.\n")


def test_as_json(parley, store, alive, chat, turn):
    for event_id in "ab":
        store.inbox.accept(chat(event_id))
    store.personas.hold("ava", 60, "too many requests (429)")
    store.takeovers.claim(Conversation("ava", "@lead"), "kim")
    told = json.loads(parley("status", "--json").out)
    assert told["needs"] == []
    assert (told["waiting"]["events"], told["waiting"]["conversations"]) == (2, 1)
    assert (told["alive"], told["taken_over"]) == (
        {"workers": 1, "beats": 1, "gone": []},
        1,
    )
    assert told["queues"].keys() == {"turns", "outreach", "schedule", "accept"}
    (ava, bea) = told["personas"]
    (gate,) = ava["gates"]
    assert (gate["name"], gate["reason"], gate["until"] > told["now_ms"]) == ("hold", "too many requests (429)", True)
    assert (bea["waiting"], bea["gates"]) == (0, [])


def test_follow_ups_that_are_due_are_counted(parley, store, alive, chat, channel):
    for target, hours in (("@one", -1), ("@two", 1)):
        at = datetime.now(UTC) + timedelta(hours=hours)
        store.follow_ups.schedule(FollowUp(persona="ava", target=target, not_before=at, channel=channel))
    told = json.loads(parley("status", "--json").out)["follow_ups"]
    assert (told["planned"], told["due"]) == (2, 1)
    assert "2 planned, 1 due" in parley("status").out


def test_what_is_new_in_fluidtalk_and_what_it_is_to_be_told(parley, store, alive):
    assert "new in FluidTalk" not in parley("status").out
    store.drift.add({"field chat.mood": 7, "status 299": 5, "reason silent.cooldown": 4, "field bubble.tone": 1})
    store.redis.hset("parley:apis", "ava", "characters")
    store.redis.zadd(store.keys.shards[0].pulled("ava"), {"fu_1": 1, "fu_2": 2, "fu_3": "inf", "fu_4": -3})
    said = parley("status").out
    assert "field chat.mood 7, status 299 5, reason silent.cooldown 4, 1 more" in " ".join(said.split())
    assert "0 planned; 2 that FluidTalk wrote to be acknowledged" in " ".join(said.split())
    told = json.loads(parley("status", "--json").out)
    assert told["unknown_to_contract"]["field chat.mood"] == 7
    assert told["follow_ups"]["acknowledgements_owed"] == {"ava": 2}


def test_a_store_that_is_away_is_a_no(parley, monkeypatch):
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://127.0.0.1:1/0")
    ended = parley("status")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("The store gives no answer")


def test_signs_of_life_run_out(store, eventually):
    store.processes.sign("worker", 60)
    store.processes.sign("beat", 0.01)
    assert store.processes.alive().workers == 1
    eventually(lambda: store.processes.alive().beats == 0, "the end of the beat")


# Watch


def test_watch_on_a_pipe_prints_once(parley, store, alive, chat):
    store.inbox.accept(chat("a"))
    ended = parley("watch")
    assert (ended.status, ended.out.splitlines()[0][:9]) == (0, "All well:")
    assert ended.out.splitlines()[-1].split()[1:] == ["ava", "@lead", "accepted", "inbound_chat,", "event", "a"]


def test_the_end_of_a_turn_that_was_seen_is_seen(store, chat, turn):
    glimpses = Glimpses(store.redis, store.keys)
    store.inbox.accept(chat("a"))
    assert [seen.moment.word for seen in glimpses.look(10)] == ["accepted"]
    turn()
    assert {seen.moment.word for seen in glimpses.look(10)} == {"accepted", "asking", "answered"}
    assert len(glimpses.look(2)) == 2


def test_watch_goes_on_until_it_is_interrupted(store, alive, redis_server, tmp_path, heeds_ctrl_c):
    settings = {"PARLEY_REDIS_URL": redis_server.url, "PARLEY_CAPTIVATE__ENVIRONMENT": "dev"}
    settings["PARLEY_PERSONAS__AVA__API_KEY"] = "ft_sk_ava"
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment = {**outside, **settings, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "worker.cli", "watch"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = _read(ours, lambda text: text.count("All well") >= 2)
        process.send_signal(signal.SIGINT)
        rest = _read(ours, lambda text: False)
        assert process.wait(60) == 0
        assert "Traceback" not in shown + rest
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal, enough, seconds=15.0):
    shown, until = "", time.monotonic() + seconds
    while not enough(shown) and time.monotonic() < until:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        shown += part.decode(errors="replace")
    return shown
