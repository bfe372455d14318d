"""What a person says in the persona's place: before all that waits, in order, once, with one fate."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation
from worker.domain.retry import Failed
from worker.domain.vocabulary import Cause
from worker.store.conversations.turn_steps import Grant


@pytest.fixture
def say(store, conversation):
    """Kim says something under this id."""

    def run(event_id, text="I will look into it", who="kim", **more):
        return store.operator_messages.say(conversation, who, text, event_id=event_id, **more)

    return run


@pytest.fixture
def deliver(store, begin):
    """The turn of what a person said, to its end. Returns the id of its event."""

    def run():
        grant = begin()
        assert (grant.head.kind, len(grant.entries)) == ("operator_message", 1)
        assert store.steps.settle(grant, "answered").status == "settled"
        return grant.head.event_id

    return run


def balance(store):
    return [(account.unexplained, account.waiting) for account in store.books.accounts() if account.persona == "ava"]


# Who may speak


def test_nobody_speaks_without_a_claim_of_their_own(store, accept, claim, say, inbox):
    accept("a")
    assert (say("x").status, say("x").holder) == ("not_yours", "")
    claim()
    other = say("x", who="lou")
    assert (other.status, other.holder) == ("not_yours", "claimed by kim: refund")
    # The beginning of a name is not the name.
    assert say("x", who="ki").status == "not_yours"
    assert inbox() == ["a"]
    assert say("x").status == "accepted"


def test_an_unknown_conversation_gets_nothing(store, say):
    assert say("x").status == "unknown"
    assert list(store.redis.scan_iter()) == []


@pytest.mark.parametrize("name", [("ava", ""), ("ava", "x" * 300), ("Ava B", "@lead"), ("ava", "@le\nad")])
def test_a_name_that_no_conversation_can_have_is_unknown(store, name):
    assert store.operator_messages.say(Conversation(*name), "kim", "hi").status == "unknown"


@pytest.mark.parametrize("more", [{"event_id": "two words"}, {"who": ""}])
def test_what_is_no_id_or_no_name_is_a_fault_of_the_caller(accept, claim, say, more):
    accept("a")
    claim()
    with pytest.raises(ValueError, match="this is no message of a person: ") as refused:
        say(**{"event_id": "x", **more})
    assert "look into it" not in str(refused.value)


@pytest.mark.parametrize(("text", "status"), [("", "empty"), (" \n", "empty"), ("x" * 10_001, "long")])
def test_what_cannot_be_said_is_refused(accept, claim, say, inbox, text, status):
    accept("a")
    claim()
    assert say("x", text).status == status
    assert inbox() == ["a"]


def test_the_same_id_again_is_the_same_message(accept, claim, say, inbox, deliver):
    accept("a")
    claim()
    assert [say("x").status, say("x").status] == ["accepted", "duplicate"]
    assert inbox() == ["x", "a"]
    deliver()
    assert (say("x").status, say("x").position) == ("duplicate", 0)
    assert inbox() == ["a"]


def test_a_full_inbox_does_not_silence_the_person_but_there_is_an_end(make_store, chat, conversation):
    store = make_store(limits={"inbox_events": 2})
    for event_id in ("a", "b"):
        store.inbox.accept(chat(event_id=event_id))
    store.takeovers.claim(conversation, "kim")
    statuses = [store.operator_messages.say(conversation, "kim", "hi").status for _ in range(101)]
    assert statuses == ["accepted"] * 100 + ["full"]


# Order


def test_it_is_delivered_during_the_takeover_and_what_the_lead_wrote_waits(
    accept, claim, say, begin, deliver, refused, inbox, journal, words, store
):
    accept("a", "b")
    claim()
    say("x")
    say("y")
    grant = begin()
    assert (grant.head.event_id, grant.head.step, grant.head.sends) == ("x", "delivering", 1)
    assert "I will look into it" in (grant.head.reply or "")
    store.steps.settle(grant, "answered")
    assert deliver() == "y"
    assert inbox() == ["a", "b"]
    assert refused().status == "taken_over"
    assert (journal("x")["fate"], "payload" in journal("x"), "reply" in journal("x")) == ("answered", False, False)
    assert words().count("said by") == 2
    assert balance(store) == [(0, 2)]


def test_it_brings_its_conversation_to_the_front_of_the_list(store, accept, claim, say, conversation):
    accept("a")
    conversations = store.keys.of(conversation).conversations
    store.redis.zadd(conversations, {conversation.name: 1})
    claim()
    say("x")
    assert store.redis.zscore(conversations, conversation.name) > 1


def test_when_all_is_said_no_turn_looks_for_more_of_it(store, accept, claim, say, deliver, state):
    accept("a")
    claim()
    say("x")
    say("y")
    deliver()
    assert "operator_words" in state()
    deliver()
    assert "operator_words" not in state()


def test_it_rings_at_once(store, accept, claim, say, due):
    accept("a")
    claim()
    store.steps.begin(Conversation("ava", "@lead"), "looks")
    far = due()
    say("x")
    assert due() < far - 3_000_000


def test_what_is_asked_at_that_moment_ends_first_and_stays_together(
    store, accept, claim, say, begin, deliver, inbox, state, conversation
):
    accept("a", "b")
    grant = begin()
    claim()
    say("x")
    assert inbox() == ["a", "b", "x"]
    store.steps.record(grant, "to a and b")
    store.steps.hold(grant, 600, Cause.TAKEN_OVER, unknown=False)
    assert (inbox(), state()["group_aside"], "hold_until" in state()) == (["x", "a", "b"], "2", False)
    assert deliver() == "x"
    assert (state()["group"], "group_aside" in state()) == ("2", False)
    accept("c")
    store.takeovers.hand_back(conversation, "joined")
    resumed = begin()
    assert [entry.event_id for entry in resumed.entries] == ["a", "b"]
    assert resumed.head.reply == "to a and b"


def test_an_answer_that_ends_its_turn_lets_it_go_next(store, accept, claim, say, begin, deliver, inbox):
    accept("a")
    grant = begin()
    accept("b")
    store.steps.record(grant, "an answer")
    claim()
    say("x")
    store.steps.settle(grant, "answered", mark="started")
    assert inbox() == ["x", "b"]
    assert deliver() == "x"


def test_a_hold_of_what_stands_in_front_does_not_keep_it(store, accept, claim, say, begin, deliver, due):
    accept("a")
    failed = Failed("unavailable", 8)
    store.steps.hold(begin(), 3600, Cause.PERSONA_UNAVAILABLE, unknown=False, failed=failed)
    held_until = due()
    claim()
    say("x")
    assert due() < held_until - 3_000_000
    assert deliver() == "x"


def test_a_turn_whose_worker_vanished_is_overtaken(store, accept, claim, say, begin, inbox, let_lease_run_out):
    accept("a")
    begin()
    claim()
    say("x")
    assert inbox() == ["a", "x"]
    let_lease_run_out()
    assert begin().head.event_id == "x"


def test_a_late_holder_is_waited_for_once_and_its_group_stays_whole(
    store, accept, claim, say, begin, refused, inbox, state, conversation
):
    accept("a", "b")
    grant = begin()
    claim()
    say("x")
    key = store.keys.of(conversation).conversation(conversation)
    store.redis.hset(key, "lease_until", int(state()["lease_until"]) - 30_000)
    assert refused().status == "busy"
    assert inbox() == ["a", "b", "x"]
    assert store.steps.settle(grant, "answered").status == "settled"
    assert inbox() == ["x"]


def test_an_opener_in_front_does_not_send_it_through_the_lane_of_outreach(
    store, accept, claim, say, begin, event_of, due, inbox
):
    accept("a")
    grant = begin()
    store.inbox.accept(event_of("ai_opener", event_id="o"))
    claim()
    say("x")
    store.steps.settle(grant, "answered")
    assert inbox() == ["x", "o"]
    assert due() - grant.now < 60_000
    assert begin().head.event_id == "x"


# After hand-back


@pytest.mark.parametrize(("answer", "left"), [("joined", ["x", "a", "b"]), ("last", ["x", "b"]), ("none", ["x"])])
def test_a_hand_back_never_drops_it(store, accept, claim, say, conversation, inbox, deliver, answer, left):
    accept("a", "b")
    claim()
    say("x")
    store.takeovers.hand_back(conversation, answer)
    assert inbox() == left
    assert deliver() == "x"
    assert balance(store)[0][0] == 0


@pytest.mark.parametrize(("answer", "left"), [("joined", ["x", "a", "b", "c"]), ("last", ["x", "c"]), ("none", ["x"])])
def test_a_group_set_aside_stays_or_goes_as_a_whole(
    store, accept, claim, say, begin, conversation, inbox, state, deliver, answer, left
):
    accept("a", "b")
    grant = begin()
    accept("c")
    claim()
    say("x")
    store.steps.record(grant, "to a and b")
    store.steps.hold(grant, 0, Cause.TAKEN_OVER, unknown=False)
    sending = begin()
    assert sending.head.event_id == "x"
    store.takeovers.hand_back(conversation, answer)
    assert inbox() == left
    assert store.steps.settle(sending, "answered").status == "settled"
    assert state().get("group") == ("2" if answer == "joined" else None)


def test_a_quiet_takeover_does_not_end_while_the_person_speaks(make_store, chat, conversation):
    takeover = {"hand_back_after_seconds": 3600}
    store = make_store(personas={"ava": {"api_key": "k", "takeover": takeover}, "bea": {"api_key": "k"}})
    store.inbox.accept(chat(event_id="a"))
    store.takeovers.claim(conversation, "kim")
    key = store.keys.of(conversation).conversation(conversation)
    for field in ("taken_over_at", "last_inbound"):
        store.redis.hincrby(key, field, -3_700_000)
    store.operator_messages.say(conversation, "kim", "one moment")
    grant = store.steps.begin(conversation, "t")
    assert isinstance(grant, Grant)
    store.steps.settle(grant, "answered")
    assert store.steps.begin(conversation, "u").status == "taken_over"
    assert store.takeovers.hand_back_quiet(conversation).status == "not_quiet"


# What else may keep a message


def test_no_gate_of_the_persona_keeps_it_and_that_of_the_channel_does(store, accept, claim, say, refused, begin):
    accept("a")
    claim()
    store.personas.pause("ava", "holiday")
    say("x")
    grant = begin()
    assert grant.head.event_id == "x"
    store.steps.hold(grant, 0, Cause.CHANNEL_UNAVAILABLE, unknown=False)
    channel = store.keys.of(Conversation("ava", "@lead")).channel("dev")
    store.redis.hset(channel, "channel_until", 9_999_999_999_999)
    assert (refused().status, refused().reason) == ("held", "channel")


def test_to_a_lead_who_opted_out_only_on_purpose(store, accept, claim, say, begin, conversation):
    accept("a")
    claim()
    store.consents.write(conversation, "out", "lou")
    assert say("x").status == "opted_out"
    assert say("x", anyway=True).status == "accepted"
    grant = begin()
    assert (grant.head.event_id, grant.unwanted) == ("x", None)


def test_a_stop_that_comes_before_the_delivery_counts(store, accept, claim, say, begin):
    accept("a")
    claim()
    say("x")
    accept("b", message="STOP")
    assert begin().unwanted == Cause.OPTED_OUT


def test_rules_for_outreach_do_not_hold_for_it(make_store, chat, conversation):
    store = make_store(consent={"outreach": "only_opted_in"})
    store.inbox.accept(chat(event_id="a"))
    store.takeovers.claim(conversation, "kim")
    store.operator_messages.say(conversation, "kim", "hi")
    grant = store.steps.begin(conversation, "t")
    assert isinstance(grant, Grant)
    assert (grant.head.kind, grant.unwanted) == ("operator_message", None)


# Its ends


def test_a_dead_one_is_replayed_before_all_that_waits(store, accept, claim, say, begin, inbox, deliver, conversation):
    accept("a")
    claim()
    say("x")
    store.steps.settle(begin(), "dead", Cause.DELIVERY_REFUSED)
    assert inbox() == ["a"]
    assert store.dead_letters.replay(conversation, "x", "place").status == "replayed"
    assert inbox() == ["x", "a"]
    assert deliver() == "x"
    assert balance(store) == [(0, 1)]


def test_a_dead_one_is_replayed_before_a_group_that_was_asked(store, accept, claim, say, begin, inbox, conversation):
    accept("a", "b")
    claim()
    say("x")
    store.steps.settle(begin(), "dead", Cause.DELIVERY_REFUSED)
    store.takeovers.hand_back(conversation, "joined")
    grant = begin()
    store.steps.hold(grant, 600, Cause.PERSONA_UNKNOWN, unknown=True)
    assert store.dead_letters.replay(conversation, "x", "place").status == "replayed"
    assert inbox() == ["x", "a", "b"]
    store.steps.settle(begin(), "answered")
    assert [entry.event_id for entry in begin().entries] == ["a", "b"]


@pytest.mark.parametrize("group", [["a"], ["a", "b"]], ids=["of one", "of two"])
def test_no_dead_event_comes_between_what_is_said_and_a_group_that_was_asked(
    group, store, accept, claim, say, begin, inbox, conversation
):
    accept("d")
    store.steps.settle(begin(), "dead", Cause.PERSONA_REFUSED)
    accept(*group)
    store.steps.hold(begin(), 600, Cause.PERSONA_UNKNOWN, unknown=True)
    claim()
    say("x")
    assert store.dead_letters.replay(conversation, "d", "place").status == "later_asked"
    assert inbox() == ["x", *group]


def test_a_dead_event_of_the_lead_finds_its_place_behind_what_is_said(
    store, accept, claim, say, begin, inbox, conversation
):
    accept("a")
    store.steps.settle(begin(), "dead", Cause.PERSONA_REFUSED)
    accept("b")
    claim()
    say("x")
    assert store.dead_letters.replay(conversation, "a", "place").status == "replayed"
    assert inbox() == ["x", "a", "b"]


def test_what_the_persona_has_not_seen_is_no_later_answer(store, accept, claim, say, begin, deliver, conversation):
    accept("a")
    store.steps.settle(begin(), "dead", Cause.PERSONA_REFUSED)
    claim()
    say("x")
    deliver()
    assert store.dead_letters.replay(conversation, "a", "place").status == "replayed"


def test_forgetting_erases_it(store, accept, claim, say, conversation):
    accept("a")
    claim()
    say("x", "a secret")
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    left = list(store.redis.scan_iter("*@lead*"))
    assert left == []
    assert balance(store) == [(0, 0)]


def test_its_words_are_encrypted(make_store, accept, claim, conversation, journal):
    accept("a")
    claim()
    store = make_store(encryption={"keys": ["QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="]})
    store.operator_messages.say(conversation, "kim", "a secret", event_id="x")
    assert "secret" not in str(journal("x"))
    grant = store.steps.begin(conversation, "t")
    assert isinstance(grant, Grant)
    assert "a secret" in (grant.head.reply or "")
