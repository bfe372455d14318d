"""Dead letters: listed, opened, given back to their conversation in order, or discarded."""

from __future__ import annotations

import json

import pytest

from worker.domain.conversation import Conversation
from worker.domain.retry import Failed
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay
from worker.store import StoreError
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Script

ANSWER = json.dumps({"bubbles": ["hello"], "fate": "answered"})
FAREWELL = json.dumps({"bubbles": [], "fate": "dead", "escalation": {"action": "escalate_to_human"}})


@pytest.fixture
def turn(store, chat, begin):
    """Accept one message and run a turn over the head that ends as told."""

    def run(event_id=None, fate="dead", reply=None, cause="refused by the persona (status 422)", **fields):
        if event_id:
            store.inbox.accept(chat(event_id=event_id, **fields))
        grant = begin()
        if reply:
            store.steps.record(grant, reply, farewell=reply == FAREWELL)
        store.steps.settle(grant, fate, cause if fate == "dead" else "")
        return grant

    return run


@pytest.fixture
def replay(store, conversation):
    """Replay one event of the usual conversation; returns status and detail."""

    def run(event_id, mode="place"):
        replayed = store.dead_letters.replay(conversation, event_id, mode)
        return replayed.status, replayed.detail

    return run


@pytest.fixture
def inbox(store, conversation):
    """The ids that wait, in order."""

    def read():
        return store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)

    return read


@pytest.fixture
def books(store):
    """The counts of the usual persona, balanced."""

    def read(*words):
        (account,) = [account for account in store.books.accounts() if account.persona == "ava"]
        assert account.unexplained == 0
        return tuple(getattr(account, word) for word in words)

    return read


@pytest.fixture
def journal(store, conversation):
    """What is recorded of one event."""

    def read(event_id):
        return store.redis.hgetall(store.keys.of(conversation).journal(conversation, event_id))

    return read


def test_a_replayed_event_waits_again_and_is_answered(store, turn, replay, inbox, books, begin):
    turn("a")
    assert books("dead", "waiting") == (1, 0)
    store.redis.delete("turns")
    assert replay("a") == ("replayed", "1")
    assert (inbox(), books("accepted", "dead", "waiting")) == (["a"], (1, 0, 1))
    assert store.redis.llen("turns") == 1, "its doorbell rings"
    assert store.dead_letters.newest() == []
    turn(fate="answered")
    assert books("accepted", "answered", "dead", "waiting") == (1, 1, 0, 0)


def test_it_does_not_expire_while_it_waits_and_does_again_afterwards(store, turn, replay, conversation):
    turn("a")
    shard = store.keys.of(conversation)
    keys = [shard.journal(conversation, "a"), shard.conversation(conversation), shard.timeline(conversation)]
    assert all(store.redis.ttl(key) > 0 for key in keys)
    replay("a")
    assert [store.redis.ttl(key) for key in keys] == [-1, -1, -1]
    turn(fate="answered")
    assert all(store.redis.ttl(key) > 0 for key in keys)


def test_the_budget_of_attempts_is_fresh(store, chat, begin, let_hold_run_out, let_lease_run_out, replay, journal):
    store.inbox.accept(chat(event_id="a"))
    store.steps.hold(begin(), 60, "no answer", unknown=True, failed=Failed("unknown", 5))
    let_hold_run_out()
    store.steps.asking(begin())
    let_lease_run_out()
    store.steps.settle(begin(), "dead", "gave up")
    assert {"asks", "ask_unknowns", "asks_vanished", "failed"} <= journal("a").keys()
    replay("a")
    left = {name for name in journal("a") if name.startswith(("ask", "send", "fail", "fate", "reason"))}
    assert left == set()
    head = begin().head
    assert (head.asks, head.ask_unknowns, head.asks_vanished) == (1, 0, 0)


def test_the_script_may_run_twice_for_one_call(store, turn, replay, inbox, books, conversation, monkeypatch):
    turn("a")
    once = Script.send
    monkeypatch.setattr(Script, "send", lambda *given: (once(*given), once(*given))[1])
    assert replay("a") == ("replayed", "1")
    assert (inbox(), books("dead", "waiting")) == (["a"], (0, 1))
    turn(fate="dead")
    replay("a", "discard")
    words = [moment.word for moment in store.timeline.of(conversation)]
    assert (words.count("replayed"), words.count("discarded")) == (1, 1)


def test_place_is_the_order_of_acceptance_whatever_the_order_of_the_replays(store, turn, chat, replay, inbox):
    for event_id in ("a", "b", "c"):
        turn(event_id)
    store.inbox.accept(chat(event_id="d"))
    for event_id in ("b", "c", "a"):
        assert replay(event_id)[0] == "replayed"
    assert inbox() == ["a", "b", "c", "d"]


def test_events_accepted_in_the_same_millisecond_keep_their_order(make_store, chat, conversation):
    store = make_store(join={"settle_seconds": 0, "max_events": 1})
    store.inbox.accept_many([chat(event_id=f"e{number}") for number in range(6)])
    for number in range(4):
        store.steps.settle(store.steps.begin(conversation, f"t{number}"), "dead", "x")
    for event_id in ("e2", "e0", "e3", "e1"):
        store.dead_letters.replay(conversation, event_id, "place")
    waiting = store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)
    assert waiting == ["e0", "e1", "e2", "e3", "e4", "e5"]


def test_after_a_later_answer_a_person_chooses(turn, replay, inbox, books):
    turn("a")
    turn("b", fate="answered")
    assert replay("a") == ("later_answered", "")
    assert (inbox(), books("dead", "waiting")) == ([], (1, 0))
    assert replay("a", "append") == ("replayed", "1")


@pytest.mark.parametrize("state", ["being asked", "held in doubt", "a stored reply waits"])
def test_nothing_is_placed_in_front_of_what_the_persona_has_seen(
    state, store, turn, chat, replay, begin, let_lease_run_out, inbox
):
    turn("a")
    store.inbox.accept(chat(event_id="b"))
    grant = begin()
    if state == "held in doubt":
        store.steps.hold(grant, 60, "no answer", unknown=True)
    if state == "a stored reply waits":
        store.steps.record(grant, ANSWER)
        let_lease_run_out()
    assert replay("a") == ("later_asked", "")
    assert inbox() == ["b"]


def test_a_replayed_reply_is_not_overtaken_by_an_earlier_question(turn, replay, inbox):
    turn("a")
    turn("b", reply=ANSWER)
    replay("b")
    assert replay("a") == ("later_asked", "")
    assert inbox() == ["b"]


def test_it_is_placed_in_front_of_a_head_that_was_surely_not_asked(store, turn, chat, replay, begin, inbox, refused):
    turn("a")
    store.inbox.accept(chat(event_id="b"))
    store.steps.hold(begin(), 60, "throttled (429)", unknown=False)
    store.redis.delete("turns")
    assert replay("a") == ("replayed", "1")
    assert inbox() == ["a", "b"]
    assert refused().status == "held", "the hold is about the key and still counts"
    assert store.redis.llen("turns") == 0


def test_append_comes_last(store, turn, chat, replay, inbox, begin):
    turn("a")
    store.inbox.accept(chat(event_id="b"))
    begin()
    assert replay("a", "append") == ("replayed", "2")
    assert inbox() == ["b", "a"]


def test_join_makes_it_the_first_of_the_group_that_is_asked_next(store, turn, chat, replay, begin):
    turn("a")
    turn("b", fate="answered")
    store.inbox.accept(chat(event_id="c"))
    assert replay("a", "join") == ("replayed", "1")
    assert [entry.event_id for entry in begin().entries] == ["a", "c"]


def test_join_says_when_there_is_no_group(store, turn, chat, event_of, replay, begin):
    turn("a")
    assert replay("a", "join") == ("nothing_to_join", "")
    store.inbox.accept(event_of("ai_opener"))
    assert replay("a", "join") == ("nothing_to_join", "")
    store.steps.settle(begin(), "answered")
    store.inbox.accept(chat())
    begin()
    assert replay("a", "join") == ("later_asked", "")


@pytest.mark.parametrize("what", ["an image", "an event with a reply", "one that may have been acted on"])
def test_join_is_not_for_what_must_be_asked_alone(what, store, turn, chat, replay, begin, let_hold_run_out):
    if what == "an image":
        turn("a", image_url="https://example.com/a.jpg")
    elif what == "an event with a reply":
        turn("a", reply=ANSWER)
    else:
        store.inbox.accept(chat(event_id="a"))
        store.steps.hold(begin(), 60, "no answer", unknown=True)
        let_hold_run_out()
        turn()
    store.inbox.accept(chat(event_id="b"))
    assert replay("a", "join") == ("cannot_join", "")


def test_a_stored_reply_is_delivered_and_not_asked_for_again(store, turn, chat, replay, begin):
    turn("a", reply=ANSWER, cause="delivery refused by the channel (status 422)")
    store.inbox.accept(chat(event_id="b"))
    replay("a")
    grant = begin()
    assert (grant.head.event_id, grant.head.reply) == ("a", ANSWER)
    assert len(grant.entries) == 1, "no later message counts as answered by a reply that does not know it"


def test_a_stored_reply_joins_no_group_in_front_of_it_either(store, turn, chat, replay, begin):
    turn("a")
    turn("b", reply=ANSWER)
    store.inbox.accept(chat(event_id="c"))
    assert replay("a") == ("replayed", "1")
    assert replay("b") == ("replayed", "2")
    assert [entry.event_id for entry in begin().entries] == ["a"]


def test_what_may_have_been_acted_on_is_asked_alone(store, chat, turn, replay, begin, let_lease_run_out):
    """A worker that lost its lease may still bring a reply that knows nothing of newer messages."""
    store.inbox.accept(chat(event_id="a"))
    lost = begin()
    let_lease_run_out()
    turn()
    store.inbox.accept(chat(event_id="b"))
    replay("a")
    assert store.steps.record(lost, ANSWER).status == "lost"
    grant = begin()
    assert ([entry.event_id for entry in grant.entries], grant.head.reply) == (["a"], ANSWER)


def test_a_farewell_is_no_answer(turn, replay, journal, begin):
    turn("a", reply=FAREWELL)
    replay("a")
    assert "reply" not in journal("a")
    assert begin().head.reply is None


def test_a_member_of_a_group_is_answered_by_the_reply_of_its_head(store, chat, turn, replay, inbox, books):
    for event_id in ("a", "b"):
        store.inbox.accept(chat(event_id=event_id))
    turn(reply=ANSWER)
    assert books("dead") == (2,)
    assert replay("b") == ("covered", "a")
    assert replay("a") == ("replayed", "1")
    assert replay("b") == ("with_head", "a")
    assert books("dead", "waiting") == (1, 1)
    turn(fate="answered")
    assert books("answered", "joined", "dead", "waiting") == (1, 1, 0, 0)
    assert store.dead_letters.newest() == []
    assert replay("b") == ("not_dead", "joined")


def test_a_member_ends_with_its_head_also_when_it_was_discarded(
    store, chat, turn, replay, books, journal, conversation
):
    for event_id in ("a", "b", "c"):
        store.inbox.accept(chat(event_id=event_id))
    turn(reply=ANSWER)
    replay("b", "discard")
    replay("a")
    turn(fate="dead", cause="delivery refused by the channel (status 422)")
    assert books("dead") == (3,), "not yet"
    replay("a")
    turn(fate="answered")
    assert books("answered", "joined", "dead") == (1, 2, 0)
    assert "discarded_at" not in journal("b")
    kept_ms = store.redis.pttl(store.keys.of(conversation).journal(conversation, "b"))
    assert kept_ms <= 7 * 86_400_000, "no longer than any settled event"


def test_what_a_member_stood_behind_does_not_come_after_it(store, chat, turn, replay):
    """a and c die together with their reply, b between them had its own fate: its place is gone with c's answer."""
    for event_id in ("a", "b", "c"):
        turn(event_id)
    replay("c")
    replay("a")
    turn(reply=ANSWER)
    assert replay("a")[0] == "replayed"
    turn(fate="answered")
    assert replay("b") == ("later_answered", "")


def test_settling_twice_for_one_call_moves_members_once(store, chat, turn, replay, begin, books):
    for event_id in ("a", "b"):
        store.inbox.accept(chat(event_id=event_id))
    turn(reply=ANSWER)
    replay("a")
    grant = begin()
    assert [store.steps.settle(grant, "answered").status for _ in range(2)] == ["settled", "repeated"]
    assert books("answered", "joined", "dead") == (1, 1, 0)


def test_a_member_of_a_group_without_a_reply_is_asked_again_by_itself(store, chat, turn, replay, inbox):
    for event_id in ("a", "b"):
        store.inbox.accept(chat(event_id=event_id))
    turn()
    assert replay("b") == ("replayed", "1")
    assert replay("a") == ("replayed", "1")
    assert inbox() == ["a", "b"]


def test_a_reply_to_the_head_alone_does_not_cover_the_others(store, chat, turn, replay, books, eventually):
    for event_id in ("a", "b"):
        store.inbox.accept(chat(event_id=event_id))
    turn()
    died_at = clock_ms(store.redis)
    eventually(lambda: clock_ms(store.redis) > died_at, "the next millisecond")
    replay("a")
    turn(reply=ANSWER, fate="answered")
    assert books("answered", "joined", "dead") == (1, 0, 1)
    assert replay("b") == ("replayed", "1")


def test_a_replayed_reply_goes_on_with_the_bubble_that_is_next(store, chat, begin, let_hold_run_out, turn, replay):
    store.inbox.accept(chat(event_id="a"))
    grant = begin()
    store.steps.record(grant, ANSWER)
    store.steps.hold(grant, 60, "next bubble 2 of 3", unknown=False, bubbles_sent=1)
    let_hold_run_out()
    turn(cause="delivery refused by the channel (status 422)")
    assert store.dead_letters.open(grant.conversation, "a").bubbles_sent == 1
    replay("a")
    head = begin().head
    assert (head.bubbles_sent, head.sends, head.reply) == (1, 1, ANSWER)


def test_discard_keeps_the_fate_and_clears_the_list(store, turn, replay, books, conversation):
    turn("a")
    assert replay("a", "discard") == ("discarded", "")
    assert (books("dead", "waiting"), store.dead_letters.newest()) == ((1, 0), [])
    assert store.timeline.of(conversation)[-1].word == "discarded"
    assert store.dead_letters.open(conversation, "a").discarded_at
    assert replay("a") == ("replayed", "1"), "a discarded event can still be called back by its id"


def test_what_is_not_dead_stays_as_it_is(store, turn, chat, replay, inbox):
    turn("a", fate="answered")
    store.inbox.accept(chat(event_id="b"))
    assert (replay("a"), replay("b"), replay("zzz")) == (("not_dead", "answered"), ("not_dead", ""), ("unknown", ""))
    assert inbox() == ["b"]


def test_a_conversation_that_expired_needs_a_channel(store, turn, chat, replay, conversation):
    turn("a")
    turn("b", channel=None)
    store.redis.delete(store.keys.of(conversation).conversation(conversation))
    assert replay("b") == ("no_channel", "")
    assert replay("a")[0] == "replayed"


def test_a_person_decides_that_it_is_not_too_old(store, turn, replay, begin, conversation):
    turn("a")
    key = store.keys.of(conversation).journal(conversation, "a")
    store.redis.hset(key, "accepted_at", 1000)
    replayed_at = store.follow_ups.now()
    replay("a")
    grant = begin()
    assert replayed_at <= grant.head.accepted_at <= grant.now
    store.steps.settle(grant, "dead", "x")
    assert store.dead_letters.open(conversation, "a").accepted_at.year == 1970


def test_an_opener_still_gives_way_to_a_lead_who_wrote_since(store, turn, event_of, begin, replay):
    store.inbox.accept(event_of("ai_opener", event_id="o"))
    store.steps.settle(begin(), "dead", "refused by the persona (status 400)")
    turn("a")
    replay("o")
    grant = begin()
    assert grant.head.event_id == "o"
    assert grant.last_inbound >= grant.head.accepted_at


def test_letters_are_found_by_persona_and_cause(store, turn, chat):
    turn("a", cause="refused by the persona (status 422)")
    turn("b", cause="gave up after 20 attempts")
    for event_id in ("c", "d"):
        store.inbox.accept(chat(event_id=event_id, persona="bea"))
    store.steps.settle(store.steps.begin(Conversation("bea", "@lead"), "t"), "dead", "gave up after 20 attempts")
    found = store.dead_letters
    assert [letter.event_id for letter in found.newest(about=lambda cause: "gave up" in cause, persona="ava")] == ["b"]
    assert {letter.event_id for letter in found.newest(persona="bea")} == {"c", "d"}
    assert len(found.newest(limit=1)) == 1
    assert [letter.event_id for letter in found.in_order()] == ["a", "b", "c", "d"]
    assert found.newest(about=lambda cause: False) == []


def test_an_opened_letter_hides_its_content(store, turn, conversation):
    turn("a", message="my secret words", reply=ANSWER)
    opened = store.dead_letters.open(conversation, "a")
    assert "secret" in opened.payload
    assert "secret" not in repr(opened)
    assert "hello" not in repr(opened)
    assert store.dead_letters.open(conversation, "zzz") is None


@pytest.fixture
def door(make_settings, store):
    """The use case: a store, and the door that refused events go through again."""

    def make(**overrides):
        settings = make_settings(**overrides)
        producer = Producer(settings, store=store)
        return Intake(producer, store, 1.0), Replay(settings, store, producer)

    return make


@pytest.mark.parametrize("own_id", [None, "m1", "e1"])
def test_a_refused_event_goes_through_the_door_again(own_id, store, door, channel, books, inbox, conversation):
    strict, _ = door(limits={"message_characters": 5})
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": "far too long", "channel": channel}
    strict.accept({**event, "event_id": own_id} if own_id else event, "m1")
    assert books("accepted", "dead", "waiting") == (1, 1, 0)
    _, replay = door()
    outcome = replay.run(conversation, own_id or "m1", "place")
    assert (outcome.done, outcome.status) == (True, "readmitted")
    assert outcome.detail == f"{own_id or 'm1'}#replay"
    assert inbox() == [outcome.detail]
    assert books("accepted", "dead", "waiting") == (1, 0, 1)
    assert store.dead_letters.newest() == []
    assert replay.run(conversation, own_id or "m1", "place").status == "not_dead"


def test_what_is_refused_again_stays_one_letter(store, door, channel, books):
    intake, replay = door()
    for wrong in ({"kind": "inbound_chat", "persona": "zoe", "target": "@lead"}, "no event at all", None):
        intake.accept(wrong, f"m{wrong!r:.3}")
    letters = store.dead_letters.newest()
    assert len(letters) == 3
    outcomes = [replay.run(letter.conversation, letter.event_id, "place") for letter in letters]
    assert [(outcome.done, outcome.status) for outcome in outcomes] == [(False, "still_refused")] * 3
    assert len(store.dead_letters.newest()) == 3
    assert sum(account.unexplained for account in store.books.accounts()) == 0


def cut_short(*_):
    raise StoreError


def test_a_replay_cut_short_after_the_door_makes_one_event(
    store, door, channel, books, inbox, conversation, monkeypatch
):
    strict, _ = door(limits={"message_characters": 5})
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": "far too long", "channel": channel}
    strict.accept(event, "m1")
    _, replay = door()
    with monkeypatch.context() as patched:
        patched.setattr(store.dead_letters, "readmitted", cut_short)
        with pytest.raises(StoreError):
            replay.run(conversation, "m1", "place")
    assert books("accepted", "dead", "waiting") == (2, 1, 1)
    assert replay.run(conversation, "m1", "place").done
    assert (inbox(), books("accepted", "dead", "waiting")) == (["m1#replay"], (1, 0, 1))


def test_a_persona_that_is_not_configured_any_more_is_left_alone(store, make_settings, turn, conversation, inbox):
    turn("a")
    settings = make_settings(personas={"bea": {"api_key": "k"}})
    replay = Replay(settings, store, Producer(settings, store=store))
    outcome = replay.run(conversation, "a", "place")
    assert (outcome.done, outcome.status, outcome.detail) == (False, "unconfigured", "ava")
    assert inbox() == []
    assert replay.run(conversation, "a", "discard").done
