"""What a failing call for follow-ups that FluidTalk writes means for the next ones, and who looks for them when."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from worker.domain import failures
from worker.domain.conversation import Conversation
from worker.domain.written import Written
from worker.pipeline.pulling import Pulling

MARK = Conversation("cleo", "instagram/mark")
MINUTE, HOUR = 60_000, 3_600_000


class Cleo:
    """The server's side of a persona. Each call does what was told for it: an answer, or an error."""

    def __init__(self) -> None:
        self.lists: Any = []
        self.acks: Any = None
        self.sweeps: Any = None
        self.calls: list[str] = []

    def written(self, platform: str, account: str | None, limit: int) -> list[Written]:
        return self._answer(f"list {platform}", self.lists)

    def acknowledge(self, ref: str) -> None:
        self._answer(f"ack {ref}", self.acks)

    def sweep(self, platform: str, idle_hours: float | None, limit: int) -> None:
        self._answer(f"sweep {platform}", self.sweeps)

    def _answer(self, call: str, answer: Any) -> Any:
        self.calls.append(call)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


@pytest.fixture
def cleo() -> Cleo:
    return Cleo()


@pytest.fixture
def make_pulling(make_store, make_settings, cleo):
    """A store and what pulls for it. Named values are settings of the persona."""

    def make(pulled=None, **own):
        persona = {"api_key": "ftc_live_cleo", "platform": "instagram", **own}
        persona["pulled_follow_ups"] = {"enabled": True, **(pulled or {})}
        personas = {"personas": {"cleo": persona, "ava": {"api_key": "ft_sk_ava"}}}
        return make_store(**personas), Pulling(make_store(**personas), make_settings(**personas), {"cleo": cleo})

    return make


@pytest.fixture
def owing(make_pulling, cleo):
    """Two follow-ups that can become no event are to be acknowledged, and nothing new is listed."""
    store, pulling = make_pulling(pulled={"enabled": False})
    store.pulled.owe("cleo", ["fu_1", "fu_2"])
    return store, pulling


def due_in(store, ref="fu_1"):
    """Milliseconds until an acknowledgement is tried again."""
    shard = store.keys.home("cleo")
    return store.redis.zscore(shard.pulled("cleo"), ref) - store.follow_ups.now()


def pause_of(store, what):
    """Milliseconds until the call is made again; None = it may be made now."""
    left = store.redis.pttl(store.keys.persona("cleo").pulling(what))
    return left if left > 0 else None


def test_a_process_looks_every_few_seconds_and_only_with_such_a_persona(make_pulling, make_store, make_settings):
    _, pulling = make_pulling()
    assert [pulling.due(), pulling.due()] == [True, False]
    assert Pulling(make_store(), make_settings(), {}).due() is False


def test_one_round_at_a_time_in_a_process(make_pulling, cleo):
    _, pulling = make_pulling()
    inside, go_on = threading.Event(), threading.Event()

    def slowly():
        inside.set()
        go_on.wait(30)
        return []

    cleo.lists = slowly
    thread = threading.Thread(target=pulling.run)
    thread.start()
    assert inside.wait(30)
    assert pulling.run() == {}
    go_on.set()
    thread.join()
    assert cleo.calls == ["list instagram"]


def test_what_can_become_no_event_is_acknowledged(make_pulling, cleo):
    _, pulling = make_pulling()
    cleo.lists = [Written("fu_1", "", ("hi",)), Written("fu_2", "mark", ()), Written("fu_3", "m" * 5000, ("hi",))]
    assert pulling.run() == {}
    cleo.lists = []
    assert pulling.run() == {"acknowledged": 3}
    assert sorted(cleo.calls[1:4]) == ["ack fu_1", "ack fu_2", "ack fu_3"]


@pytest.mark.parametrize("mode", ["mock", "sandbox"])
def test_a_persona_that_is_tried_out_writes_to_test_leads_only(make_pulling, cleo, mode, channel):
    store, pulling = make_pulling(mode=mode)
    cleo.lists = [Written("fu_1", "mark", ("hi",)), Written("fu_2", "test_mark", ("hi",))]
    pulling.run()
    assert store.pulled.known([(Conversation("cleo", "instagram/mark"), "fu_1")]) == [None]
    assert store.pulled.known([(Conversation("cleo", "instagram/test_mark"), "fu_2")]) != [None]


@pytest.mark.parametrize("refusal", [failures.Rejected(status=422), failures.Unsendable()])
def test_an_acknowledgement_that_is_refused_is_tried_again_in_an_hour_and_keeps_no_other_waiting(owing, cleo, refusal):
    store, pulling = owing
    cleo.acks = refusal
    assert pulling.run() == {}
    assert sorted(cleo.calls) == ["ack fu_1", "ack fu_2"]
    assert due_in(store) == pytest.approx(HOUR, abs=MINUTE)


def test_an_acknowledgement_without_an_answer_keeps_the_others_waiting_too(owing, cleo):
    store, pulling = owing
    cleo.acks = failures.Unavailable(status=503)
    assert pulling.run() == {}
    assert len(cleo.calls) == 1
    assert 0 < due_in(store, "fu_2") <= HOUR
    cleo.acks = None
    assert pulling.run() == {}, "not due yet"


def test_a_call_that_is_not_allowed_is_tried_again_in_an_hour_without_a_quarantine(make_pulling, cleo, caplog):
    store, pulling = make_pulling()
    cleo.lists = failures.KeyRefused(status=403)
    pulling.run()
    assert store.personas.gates("cleo") == {}
    assert pause_of(store, "list:instagram") == pytest.approx(HOUR, abs=MINUTE)
    assert "list is not allowed (403); tried again in an hour" in caplog.text


@pytest.mark.parametrize(("retry_after", "seconds"), [(30.0, 30), (10**6, 24 * 3600), (None, 120)])
def test_a_server_that_asks_to_slow_down_holds_the_whole_key(make_pulling, cleo, retry_after, seconds):
    store, pulling = make_pulling()
    cleo.lists = failures.Throttled(status=429, retry_after=retry_after)
    pulling.run()
    until = int(store.personas.gates("cleo")["hold_until"]) - store.follow_ups.now()
    assert until / 1000 == pytest.approx(seconds, abs=10)
    pulling.run()
    assert cleo.calls == ["list instagram"], "nothing is called while it is held"


def test_a_sweep_that_was_surely_not_made_is_made_soon_and_one_without_an_answer_is_not(make_pulling, cleo):
    for failure, soon in ((failures.Unavailable(status=503), True), (failures.OutcomeUnknown(), False)):
        store, pulling = make_pulling(pulled={"sweep_every_hours": 24, "every_seconds": 60})
        store.redis.flushall()
        cleo.sweeps = failure
        assert pulling.run()["sweeps"] == 0
        assert (pause_of(store, "sweep:instagram") <= MINUTE) is soon


@pytest.mark.parametrize(
    ("caps", "taken"),
    [
        ({}, ["fu_1", "fu_2", "fu_3", "fu_4"]),
        ({"per_day": 2}, ["fu_1", "fu_2"]),
        ({"per_hour": 3}, ["fu_1"]),
    ],
)
def test_a_cap_lets_the_oldest_through_first_and_one_of_each_lead(make_pulling, cleo, caps, taken):
    store, pulling = make_pulling(follow_ups=caps)
    named = {"fu_1": "mark", "fu_2": "eve", "fu_2b": "eve", "fu_3": "adam", "fu_1b": "mark", "fu_4": "abel"}
    cleo.lists = [Written(ref, lead, ("hi",)) for ref, lead in named.items()]
    pulling.run()
    known = store.pulled.known([(Conversation("cleo", f"instagram/{lead}"), ref) for ref, lead in named.items()])
    assert [ref for ref, state in zip(named, known, strict=True) if state is not None] == taken
