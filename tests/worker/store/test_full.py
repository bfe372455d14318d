"""A store whose memory is full: nothing begins, everything ends. Redis decides by the first write of a script."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import OutOfMemoryError

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.domain.cadence import TouchState
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener
from worker.domain.refusals import Refused
from worker.pipeline.producer import Producer
from worker.store import StoreError, StoreFull
from worker.store.conversations.fair_room import share
from worker.store.conversations.turn_steps import NotNow
from worker.store.personas.gates import owner_of
from worker.store.personas.places import Admission
from worker.store.redis.troubles import trouble_of


@pytest.fixture(scope="module")
def redis_server():
    """One of our own: nobody else wants a full one."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def fill(store):
    """Let no memory be left, until the test ends or says so."""

    def run(limit: str = "100kb") -> None:
        store.redis.config_set("maxmemory", limit)

    yield run
    run("0")


@pytest.fixture
def everything(store):
    """All that is stored."""
    return lambda: {key: _value(store, key) for key in store.redis.scan_iter()}


def _value(store, key):
    match store.redis.type(key):
        case "hash":
            return store.redis.hgetall(key)
        case "list":
            return store.redis.lrange(key, 0, -1)
        case "zset":
            return store.redis.zrange(key, 0, -1, withscores=True)
        case "set":
            return store.redis.smembers(key)
        case _:
            return store.redis.get(key)


def test_what_brings_new_work_is_refused_and_changes_nothing(
    store, make_store, conversation, chat, event_of, accept, begin, fill, everything
):
    accept("dead")
    store.steps.settle(begin(), "dead", "for the test")
    accept("waits")
    store.inbox.refuse("ava", "@lead", "letter", "{}", "for the test")
    store.inbox.accept(event_of("ai_opener", target="@opened"))
    live, over = ({**chat().channel.model_dump(), "hasLivechat": there} for there in (True, False))
    takeover = {"livechat": "hold", "on_hand_back": "joined"}
    watching = make_store(personas={"ava": {"api_key": "ft_sk_ava", "takeover": takeover}})
    watching.inbox.accept(chat(target="@live", channel=live))
    soon, capped = datetime.now(UTC) + timedelta(hours=1), make_store(follow_ups={"per_day": 3})
    attempts = {
        "accept": lambda: store.inbox.accept(chat(event_id="new")),
        "accept what was refused": lambda: store.inbox.accept(chat(event_id="letter")),
        "accept what ends a takeover": lambda: watching.inbox.accept(chat(target="@live", channel=over)),
        "accept many": lambda: store.inbox.accept_many([chat(event_id="one"), chat(event_id="two", target="@two")]),
        "schedule": lambda: store.follow_ups.schedule(event_of("follow_up", not_before=soon)),
        "begin": lambda: store.steps.begin(conversation, "token"),
        "ring": lambda: store.agenda.claim_due(),
        "refuse": lambda: store.inbox.refuse("ava", "@lead", "bad", "{}", "for the test"),
        "replay": lambda: store.dead_letters.replay(conversation, "dead", "append"),
        "allow": lambda: capped.follow_up_caps.held_back([TouchState(conversation.name, 1)], capped.follow_ups.now()),
    }
    fill()
    before = everything()
    for name, attempt in attempts.items():
        with pytest.raises(StoreFull, match="full") as raised:
            attempt()
        assert trouble_of(raised.value).code == "OOM", name
        assert everything() == before, name
    fill("0")
    assert store.inbox.accept(chat(event_id="new")).status == "accepted"
    assert not isinstance(store.steps.begin(conversation, "token"), NotNow)


def test_a_store_that_fills_up_during_a_tick_rings_for_no_outreach(store, event_of, fill, everything, monkeypatch):
    store.inbox.accept(event_of("ai_opener"))
    before = []

    def filled(*rooms):
        fill()
        before.append(everything())
        return share(*rooms)

    monkeypatch.setattr("worker.store.conversations.agenda.share", filled)
    with pytest.raises(StoreFull):
        store.agenda.claim_due()
    assert [everything()] == before


def test_a_refused_event_is_neither_accepted_nor_a_refusal_to_be_kept(store, chat, make_settings, fill):
    fill()
    with pytest.raises(StoreError) as raised, Producer(make_settings(), store=store) as producer:
        producer.enqueue(chat())
    assert isinstance(raised.value, OutOfMemoryError)
    assert not isinstance(raised.value, Refused)


def test_what_is_accepted_already_is_known_in_a_full_store(store, accept, chat, fill):
    accept("a")
    fill()
    assert store.inbox.accept(chat(event_id="a")).status == "duplicate"


def test_a_turn_under_way_ends_as_ever(store, conversation, accept, begin, fill, journal, inbox):
    accept("a")
    grant = begin()
    fill()
    assert store.places.admit(conversation, grant.token, 1).wait_seconds == 0
    store.steps.keep_image(grant, "a", "https://hosted")
    assert store.steps.renew([grant]) == []
    assert store.steps.record(grant, "reply").status == "holder"
    assert store.steps.settle(grant, "answered", mark="started").status == "settled"
    assert (journal("a")["fate"], inbox()) == ("answered", [])


@pytest.mark.parametrize("fate", ["dead", "sealed", "skipped"])
def test_it_ends_with_any_fate(store, accept, begin, fill, journal, fate):
    accept("a")
    grant = begin()
    fill()
    mark = "sealed" if fate == "sealed" else "escalated" if fate == "dead" else ""
    assert store.steps.settle(grant, fate, "for the test", mark, "detail").status == "settled"
    assert journal("a")["fate"] == fate


@pytest.mark.parametrize("unknown", [True, False])
def test_a_turn_under_way_is_held(store, accept, begin, fill, journal, unknown):
    accept("a")
    grant = begin()
    fill()
    assert store.steps.hold(grant, 5, "no answer", unknown=unknown, bubbles_sent=1) == "held"
    assert journal("a")["step"] == "waiting"


def test_a_turn_under_way_is_handed_over(store, accept, begin, fill, journal):
    accept("a")
    grant = begin()
    fill()
    assert store.steps.hand_over([grant]) == 1
    assert journal("a")["asks_handed_over"] == "1"


def test_its_holder_is_told_that_its_lease_is_lost(store, accept, begin, fill, let_lease_run_out):
    accept("a")
    old = begin()
    let_lease_run_out()
    begin()
    fill()
    assert store.steps.record(old, "late").status == "lost"
    assert store.steps.renew([old]) == [old]


def test_gates_close_and_open(store, accept, fill):
    accept("a")
    fill()
    store.personas.hold("ava", 30, "Retry-After")
    store.personas.close_for_probing("ava", "circuit", "away")
    assert {"hold_until", "circuit_until"} <= set(store.personas.gates("ava"))
    store.personas.open_gate("ava", "circuit")
    assert "circuit_until" not in store.personas.gates("ava")


def test_a_call_under_way_begins_and_ends(store, accept, begin, fill, journal):
    accept("a")
    grant = begin()
    fill()
    assert store.steps.asking(grant)
    with pytest.raises(StoreFull):
        store.steps.left_out(grant, "image")
    store.steps.not_called(grant)
    assert journal("a")["asks_handed_over"] == "1"


def test_an_error_of_our_own_is_counted(store, accept, begin, fill):
    accept("a")
    grant = begin()
    fill()
    assert store.steps.stumble(grant, called=False, answered=0).in_all == 1


def test_places_are_renewed_and_given_to_the_next_in_line(make_store, conversation, event_of, fill):
    store = make_store(personas={"ava": {"api_key": "ft_sk_ava", "calls_at_once": 1}})
    behind = Conversation("ava", "@behind")
    for target in (conversation.target, behind.target):
        store.inbox.accept(event_of("event_trigger", target=target))
    assert store.places.admit(conversation, "first", 1) == Admission(0.0)
    fill()
    assert store.places.admit(behind, "second", 2).in_line
    store.places.renew([("ava", "first")])
    store.places.release(conversation, "first")
    assert store.places.admit(behind, "second", 2) == Admission(0.0)


def test_who_waits_at_a_gate_tries_it_and_what_is_held_for_it_is_woken(store, accept, begin, chat, fill, due):
    accept("a")
    grant, at_gate = begin(), Conversation("ava", "@at-gate")
    store.inbox.accept(chat(target=at_gate.target))
    store.personas.close_for_probing("ava", "circuit", "away")
    store.steps.hold(grant, 500, "persona_unavailable", unknown=False)
    assert store.steps.begin(at_gate, "token").status == "held"
    fill()
    assert store.errands.take() == []
    assert store.gates.let_one_try(owner_of("circuit", "ava"), "circuit", 60) == at_gate
    store.personas.open_gate("ava", "circuit")
    assert store.gates.wake("ava", held_for="persona_unavailable") == 2
    seconds, microseconds = store.redis.time()
    assert due() <= seconds * 1000 + microseconds // 1000


def test_an_opener_under_way_has_its_moment_and_its_outcome(make_store, conversation, channel, fill):
    rules = {"openers_per_hour": 3600}
    store = make_store(personas={"ava": {"api_key": "ft_sk_ava", "outreach": rules}})
    opener = AiOpener(persona="ava", target="@lead", channel=channel, event_id="o")
    store.inbox.accept(opener)
    fill()
    assert store.outreach.wait_of(conversation, "before", 3600) == 0
    assert store.outreach.wait_of(conversation, "o", 3600) > 0
    assert store.outreach.count(conversation, "o", "good").counted == 1


def test_an_operator_can_take_over_hand_back_seal_and_discard(store, conversation, accept, begin, fill, claim):
    accept("dead")
    store.steps.settle(begin(), "dead", "for the test")
    accept("waits")
    fill()
    assert claim().status == "claimed"
    assert store.takeovers.hand_back(conversation, "none").status == "handed_back"
    assert store.seals.seal(conversation, "kim", "done") == "done"
    assert store.seals.unseal(conversation, "kim") == "done"
    assert store.dead_letters.replay(conversation, "dead", "discard").status == "discarded"


def test_a_planned_follow_up_can_be_cancelled(store, conversation, event_of, fill):
    store.follow_ups.schedule(event_of("follow_up", not_before=datetime.now(UTC) + timedelta(hours=1)))
    fill()
    assert store.follow_ups.cancel(conversation)


def test_a_lead_can_be_forgotten(store, conversation, accept, fill):
    accept("waits")
    fill()
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    assert store.forgetting.traces(conversation).nothing


class RoomInTheMiddle:
    """A pipeline to a full store that has room again after so many scripts of it."""

    def __init__(self, redis, number):
        self.redis, self.number, self.calls = redis, number, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def evalsha(self, *call):
        self.calls.append(call)

    def execute(self):
        self.redis.config_set("maxmemory", "100kb")
        with pytest.raises(OutOfMemoryError):
            self.redis.evalsha(*self.calls[0])
        for call in self.calls[1 : self.number]:
            # It may know that it stands behind the first.
            with suppress(OutOfMemoryError):
                self.redis.evalsha(*call)
        self.redis.config_set("maxmemory", "0")
        for call in self.calls[self.number :]:
            self.redis.evalsha(*call)
        raise OutOfMemoryError


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_room_in_the_middle_of_many_events_changes_no_order(store, fill, chat, monkeypatch, conversation, refused):
    fill("0")
    store.inbox.accept(chat(target="@earlier"))
    mine = [chat(event_id=f"e{number}") for number in range(4)]
    events = [*mine, chat(event_id="other", target="@other")]
    with monkeypatch.context() as patched:
        patched.setattr(store.redis, "pipeline", lambda **_: RoomInTheMiddle(store.redis, refused))
        with pytest.raises(StoreFull):
            store.inbox.accept_many(events)
    assert [answer.status for answer in store.inbox.accept_many(events)][:4] == ["accepted"] * 4
    ids = store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)
    assert ids == [event.event_id for event in mine]


def test_what_is_behind_an_event_that_is_refused_for_good_is_accepted(store, chat, event_of):
    events = [event_of("ai_opener", event_id="first", channel=None), chat(event_id="second"), chat(event_id="third")]
    assert [answer.status for answer in store.inbox.accept_many(events)] == ["no_channel", "accepted", "accepted"]


def test_what_is_behind_an_event_that_finds_no_room_finds_none_either(make_store, chat):
    store = make_store(limits={"inbox_events": 2})
    events = [chat(event_id=f"e{number}") for number in range(5)]
    assert [answer.status for answer in store.inbox.accept_many(events)] == ["accepted", "accepted", *["full"] * 3]


def test_a_lead_who_opts_out_is_heeded_by_a_full_store(store, fill, chat, event_of, conversation):
    store.inbox.accept(chat(event_id="a"))
    fill()
    with pytest.raises(StoreFull):
        store.inbox.accept(chat(event_id="b"))
    assert store.inbox.accept(chat("STOP", event_id="c")).status == "accepted"
    assert store.consents.of(conversation).state == "out"
