"""``parley outreach``, and the gate it tells of."""

from __future__ import annotations

import json

import pytest

from config.settings import load
from tests.worker.outreach_gate import stop_outreach
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener
from worker.store import Store


@pytest.fixture
def ramped(store, monkeypatch):
    """The store as it is with a ramp, for the command as for the test."""
    for name, value in {"OPENERS_PER_HOUR": "20", "GROWTH_PER_DAY": "1.5", "OPENERS_PER_HOUR_LIMIT": "90"}.items():
        monkeypatch.setenv(f"PARLEY_PERSONAS__AVA__OUTREACH__{name}", value)
    ramped = Store(load(env_file=None), connections=2)
    yield ramped
    ramped.close()


def lines(ended):
    return dict(line.split("  ", 1) for line in ended.out.splitlines())


def test_without_a_ramp_it_says_so(parley, store):
    ended = parley("outreach", "ava")
    assert ended.status == 0
    said = {name: value.strip() for name, value in lines(ended).items()}
    assert said == {
        "ramp": "none: openers go as fast as workers can",
        "ready for a doorbell": "0",
        "ended badly": "0 of the last 0; it stops at 30% of at least 10",
        "closed gates": "none",
    }


def test_it_says_how_fast_what_waits_and_how_the_last_ended(parley, ramped, channel):
    for number in range(3):
        ramped.outreach.wait_of(Conversation("ava", f"@{number}"), "e", 86_400)
        ramped.outreach.count(Conversation("ava", f"@{number}"), "e", "bad" if number else "good")
    ramped.inbox.accept(AiOpener(persona="ava", target="@ready", channel=channel))
    said = {name: value.strip() for name, value in lines(parley("outreach", "ava")).items()}
    assert said["ramp"] == "20 openers an hour, grows 1.5 times a day up to 90"
    assert (said["waiting for their moment"], said["gone today"], said["ready for a doorbell"]) == ("2", "1", "1")
    assert said["ended badly"] == "2 of the last 3 (67%); it stops at 30% of at least 10"
    assert said["next free moment"].endswith(" UTC")


def test_as_json(parley, ramped):
    ramped.outreach.wait_of(Conversation("ava", "@1"), "e", 86_400)
    stop_outreach(ramped, "ava", "15 of the last 50")
    told = json.loads(parley("outreach", "ava", "--json").out)
    assert told.pop("next_free") > "2026"
    assert told == {
        "persona": "ava",
        "per_hour": 20.0,
        "waiting": 0,
        "ready": 0,
        "gone_today": 1,
        "counted": 0,
        "bad": 0,
        "bad_share": None,
        "gates": {"outreach": "15 of the last 50"},
    }


def test_the_gate_is_opened_by_name_only(parley, store):
    stop_outreach(store, "ava", "15 of the last 50")
    ended = parley("resume", "ava")
    assert "Still closed: outreach (15 of the last 50). To open it: parley resume ava --gate outreach" in ended.out
    assert "closed gates" in parley("outreach", "ava").out
    ended = parley("resume", "ava", "--gate", "outreach")
    assert ended.out == "Opened: outreach (15 of the last 50). What waited for it continues now.\n"
    assert store.personas.gates("ava") == {}


def test_an_unknown_persona_is_wrong_usage(parley):
    assert parley("outreach", "zoe").status == 2
