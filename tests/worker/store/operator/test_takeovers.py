"""A person has a conversation: nothing begins, nothing is delivered, nothing is lost, until it is handed back."""

from __future__ import annotations

import pytest

from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.store.conversations.turn_steps import NotNow

QUIET_SECONDS = 3600
PLANNED = Planned(step=0, quiet_from=1, then=Touch(1, "a test"))


def make_quiet(store, conversation, seconds=QUIET_SECONDS):
    """As if takeover and last message were that long ago."""
    key = store.keys.of(conversation).conversation(conversation)
    for field in ("taken_over_at", "last_inbound"):
        if store.redis.hexists(key, field):
            store.redis.hincrby(key, field, -seconds * 1000)


def age(store, conversation, event_id, seconds):
    """As if the event had been accepted that much earlier."""
    store.redis.hincrby(store.keys.of(conversation).journal(conversation, event_id), "accepted_at", -seconds * 1000)


# Claims


def test_a_claimed_conversation_begins_no_turn_and_keeps_its_order(store, accept, claim, refused, inbox, due):
    accept("a")
    claimed = claim()
    assert (claimed.status, claimed.reason, claimed.delivering) == ("claimed", "claimed by kim: refund", False)
    accept("b")
    answer = refused()
    assert (answer.status, answer.reason) == ("taken_over", "claimed by kim: refund")
    assert due() == answer.until > claimed.since.timestamp() * 1000 + 3_000_000
    assert inbox() == ["a", "b"]


def test_it_comes_before_the_gates_of_the_persona(store, accept, claim, refused):
    accept("a")
    claim()
    store.personas.pause("ava", "holiday")
    assert refused().status == "taken_over"


def test_a_stored_reply_waits_too(store, accept, claim, begin, refused, let_lease_run_out):
    accept("a")
    store.steps.record(begin(), "a reply")
    let_lease_run_out()
    claim()
    assert refused().status == "taken_over"


def test_claiming_twice_is_one_claim(store, accept, claim, conversation, words):
    accept("a")
    assert claim() == claim()
    assert words().count("taken over") == 1


def test_the_claim_of_another_operator_stays(store, accept, claim, conversation):
    accept("a")
    claim()
    other = store.takeovers.claim(conversation, "lou")
    assert (other.status, other.reason) == ("already", "claimed by kim: refund")


def test_what_is_unknown_cannot_be_claimed_nor_handed_back(store):
    nobody = Conversation("ava", "@nobody")
    assert store.takeovers.claim(nobody, "kim").status == "unknown"
    assert store.takeovers.hand_back(nobody, "joined").status == "unknown"
    assert list(store.redis.scan_iter()) == []


def test_what_is_not_claimed_cannot_be_handed_back(store, accept, conversation, begin):
    accept("a")
    assert store.takeovers.hand_back(conversation, "none").status == "not_taken_over"
    assert begin().head.event_id == "a"


def test_the_claim_says_when_a_delivery_is_under_way(store, accept, claim, begin, conversation):
    accept("a")
    grant = begin()
    assert not store.takeovers.is_delivering(conversation)
    assert store.steps.record(grant, "a reply").status == "holder"
    assert claim().delivering
    assert store.takeovers.is_delivering(conversation)
    store.steps.settle(grant, "answered")
    assert not store.takeovers.is_delivering(conversation)


def test_a_holder_that_vanished_is_not_delivering(store, accept, claim, begin, conversation, let_lease_run_out):
    accept("a")
    store.steps.record(begin(), "a reply")
    let_lease_run_out()
    assert not claim().delivering
    assert not store.takeovers.is_delivering(conversation)


def test_a_conversation_that_a_person_has_does_not_expire(store, accept, claim, begin, conversation):
    accept("a")
    store.steps.settle(begin(), "answered")
    key = store.keys.of(conversation).conversation(conversation)
    assert store.redis.pttl(key) > 0
    claim()
    assert store.redis.pttl(key) == -1
    assert store.redis.pttl(store.keys.of(conversation).timeline(conversation)) > 0
    store.takeovers.hand_back(conversation, "joined")
    assert store.redis.pttl(key) > 0


def test_a_turn_that_ends_during_the_takeover_leaves_it_in_force(store, accept, claim, begin, refused, conversation):
    accept("a")
    grant = begin()
    claim()
    assert store.steps.settle(grant, "ignored").status == "settled"
    assert store.redis.pttl(store.keys.of(conversation).conversation(conversation)) == -1
    accept("b")
    assert refused().status == "taken_over"


# The reply that comes too late


def test_a_reply_that_comes_after_the_claim_is_kept_and_not_delivered(store, accept, claim, begin, journal):
    accept("a")
    grant = begin()
    claim()
    recorded = store.steps.record(grant, "a reply")
    assert (recorded.status, recorded.reply) == ("taken_over", "a reply")
    assert store.steps.record(grant, "a reply") == recorded
    assert (journal("a")["step"], journal("a").get("sends", "0")) == ("replied", "0")


def test_it_is_delivered_after_hand_back_without_a_second_ask(store, accept, claim, begin, conversation, journal):
    accept("a")
    grant = begin()
    accept("b")
    claim()
    store.steps.record(grant, "a reply")
    store.steps.hold(grant, 0, "taken over", unknown=False)
    store.takeovers.hand_back(conversation, "joined")
    resumed = begin()
    assert [(entry.event_id, entry.reply) for entry in resumed.entries] == [("a", "a reply")]
    assert (resumed.head.asks, resumed.head.sends, resumed.head.sends_vanished) == (1, 1, 0)


def test_a_claim_between_two_calls_of_one_record_counts_no_send(store, accept, claim, begin, journal):
    accept("a")
    grant = begin()
    assert store.steps.record(grant, "a reply").status == "holder"
    claim()
    assert store.steps.record(grant, "a reply").status == "taken_over"
    assert store.steps.record(grant, "a reply").status == "taken_over"
    assert store.steps.hold(grant, 0.0, "taken_over", unknown=False, asked=False) == "held"
    assert (journal("a")["step"], journal("a")["sends"]) == ("replied", "0")


# Follow-ups


def test_a_takeover_drops_the_plan_and_a_reply_under_way_makes_no_new_one(store, accept, claim, begin, conversation):
    accept("a")
    store.steps.settle(begin(), "answered", mark="started", follow_up=PLANNED)
    assert store.redis.zcard(store.keys.of(conversation).follow_ups) == 1
    before = store.redis.hget(store.keys.of(conversation).conversation(conversation), "plan")
    claim()
    assert store.redis.zcard(store.keys.of(conversation).follow_ups) == 0
    assert store.redis.hget(store.keys.of(conversation).conversation(conversation), "plan") != before


def test_a_delivery_that_ends_during_the_takeover_plans_nothing_and_the_next_one_does(
    store, accept, claim, begin, conversation
):
    accept("a")
    grant = begin()
    store.steps.record(grant, "a reply")
    claim()
    store.steps.settle(grant, "answered", mark="started", follow_up=PLANNED)
    assert store.redis.zcard(store.keys.of(conversation).follow_ups) == 0
    store.takeovers.hand_back(conversation, "joined")
    accept("b")
    store.steps.settle(begin(), "answered", mark="started", follow_up=PLANNED)
    assert store.redis.zcard(store.keys.of(conversation).follow_ups) == 1


# Escalations


def test_an_escalation_freezes_until_hand_back(store, accept, begin, refused, conversation):
    accept("a", "b")
    store.steps.settle(begin(), "dead", "refused by the persona", mark="escalated")
    accept("c")
    assert (refused().status, refused().reason) == ("taken_over", "escalated")
    assert [found.conversation for found in store.takeovers.all()] == [conversation]
    store.takeovers.hand_back(conversation, "joined")
    assert begin().head.event_id == "c"


def test_an_escalation_leaves_a_claim_as_it_is(store, accept, claim, begin, refused):
    accept("a")
    grant = begin()
    claim()
    store.steps.settle(grant, "dead", "refused by the persona", mark="escalated")
    accept("b")
    assert refused().reason == "claimed by kim: refund"


@pytest.mark.parametrize("automatic", ["escalated", "livechat"])
def test_an_operator_may_claim_what_was_taken_over_by_itself(
    store, accept, claim, begin, conversation, automatic, state, channel, make_store
):
    if automatic == "escalated":
        accept("a")
        store.steps.settle(begin(), "dead", "refused by the persona", mark="escalated")
    else:
        livechat(make_store, "joined").inbox.accept(message(channel, "a", True))
    assert state()["taken_over"] == automatic
    assert claim().status == "claimed"
    assert state()["taken_over"] == "claimed by kim: refund"


# The channel says that a person can take over


def livechat(make_store, answer, **more):
    takeover = {"livechat": "hold", "on_hand_back": answer, **more}
    return make_store(personas={"ava": {"api_key": "k", "takeover": takeover}, "bea": {"api_key": "k"}})


def message(channel, event_id, has_livechat, persona="ava"):
    return InboundChat(
        event_id=event_id,
        persona=persona,
        target="@lead",
        message="hi",
        channel={**channel, "hasLivechat": has_livechat},
    )


def test_by_default_it_means_nothing(store, channel, begin):
    store.inbox.accept(message(channel, "a", True))
    assert begin().head.event_id == "a"


def test_with_the_policy_hold_the_message_freezes_its_conversation(make_store, channel, conversation):
    store = livechat(make_store, "joined")
    assert store.inbox.accept(message(channel, "a", True)).status == "accepted"
    assert store.inbox.accept(message(channel, "a", True)).status == "duplicate"
    answer = store.steps.begin(conversation, "t")
    assert (answer.status, answer.reason) == ("taken_over", "livechat")
    store.inbox.accept(message(channel, "b", True, "bea"))
    assert store.steps.begin(Conversation("bea", "@lead"), "t").head.event_id == "b"


@pytest.mark.parametrize(("answer", "asked"), [("joined", ["a", "b", "c"]), ("last", ["b", "c"]), ("none", ["c"])])
def test_the_first_message_without_it_hands_back_by_policy(make_store, channel, conversation, answer, asked):
    store = livechat(make_store, answer)
    for event_id, has_livechat in (("a", True), ("b", True), ("c", False)):
        store.redis.delete("turns")
        store.inbox.accept(message(channel, event_id, has_livechat))
    assert store.redis.llen("turns") == 1
    assert [entry.event_id for entry in store.steps.begin(conversation, "t").entries] == asked
    (account,) = store.books.accounts()
    assert (account.skipped, account.unexplained) == (3 - len(asked), 0)
    assert store.takeovers.all() == []


def test_it_hands_back_nothing_that_an_operator_has(make_store, channel, conversation):
    store = livechat(make_store, "joined")
    store.inbox.accept(message(channel, "a", True))
    store.takeovers.claim(conversation, "kim")
    store.inbox.accept(message(channel, "b", False))
    assert store.steps.begin(conversation, "t").status == "taken_over"


def test_a_sealed_conversation_is_sealed_and_not_taken_over(make_store, channel, conversation):
    store = livechat(make_store, "joined")
    store.inbox.accept(message(channel, "a", False))
    store.steps.settle(store.steps.begin(conversation, "t"), "sealed", mark="sealed")
    store.inbox.accept(message(channel, "b", True))
    assert store.steps.begin(conversation, "u").sealed


def test_what_is_refused_at_the_door_takes_nothing_over(make_store, channel, conversation):
    takeover = {"livechat": "hold"}
    store = make_store(personas={"ava": {"api_key": "k", "takeover": takeover}}, limits={"inbox_events": 1})
    store.inbox.accept(message(channel, "a", False))
    assert store.inbox.accept(message(channel, "b", True)).status == "full"
    assert store.steps.begin(conversation, "t").head.event_id == "a"


def test_a_full_inbox_does_not_keep_it_from_ending(make_store, channel, conversation):
    takeover = {"livechat": "hold"}
    store = make_store(personas={"ava": {"api_key": "k", "takeover": takeover}}, limits={"inbox_events": 1})
    store.inbox.accept(message(channel, "a", True))
    assert store.inbox.accept(message(channel, "b", True)).status == "full"
    assert store.agenda.claim_due() == []
    assert store.inbox.accept(message(channel, "c", False)).status == "full"
    assert store.agenda.claim_due() == [(conversation, "turns")]
    store.steps.settle(store.steps.begin(conversation, "t"), "answered")
    assert store.inbox.accept(message(channel, "c", False)).status == "accepted"
    (account,) = store.books.accounts()
    assert (account.accepted, account.answered, account.waiting) == (2, 1, 1)


# A takeover that ends by itself


@pytest.fixture
def quiet_store(make_store):
    """A store whose takeovers end after an hour."""
    return lambda answer: livechat(make_store, answer, hand_back_after_seconds=QUIET_SECONDS)


def test_the_agenda_looks_when_the_takeover_would_end(quiet_store, channel, conversation):
    store = quiet_store("joined")
    store.inbox.accept(message(channel, "a", True))
    make_quiet(store, conversation, QUIET_SECONDS - 10)
    now = store.redis.time()[0] * 1000
    answer = store.steps.begin(conversation, "t")
    assert answer.status == "taken_over"
    assert now < answer.until <= now + 11_000
    assert store.takeovers.hand_back_quiet(conversation).status == "not_quiet"


@pytest.mark.parametrize(("answer", "asked"), [("joined", ["a", "b"]), ("last", ["b"]), ("none", None)])
def test_a_quiet_takeover_ends_by_policy(quiet_store, channel, conversation, answer, asked):
    store = quiet_store(answer)
    for event_id in "ab":
        store.inbox.accept(message(channel, event_id, True))
        age(store, conversation, event_id, QUIET_SECONDS)
    make_quiet(store, conversation)
    assert store.steps.begin(conversation, "t").status == "hand_back"
    assert store.takeovers.hand_back_quiet(conversation).status == "handed_back"
    begun = store.steps.begin(conversation, "t")
    if asked is None:
        assert isinstance(begun, NotNow)
        assert begun.status == "empty"
    else:
        assert [entry.event_id for entry in begun.entries] == asked


def test_a_message_of_the_lead_lengthens_it(quiet_store, chat, conversation):
    store = quiet_store("joined")
    store.inbox.accept(chat(event_id="a"))
    store.takeovers.claim(conversation, "kim")
    make_quiet(store, conversation)
    age(store, conversation, "a", QUIET_SECONDS)
    store.inbox.accept(chat(event_id="b"))
    assert store.steps.begin(conversation, "t").status == "taken_over"


def test_a_message_that_comes_when_it_had_long_been_over_is_answered_whatever_the_policy(
    quiet_store, chat, conversation
):
    store = quiet_store("none")
    store.inbox.accept(chat(event_id="a"))
    store.steps.settle(store.steps.begin(conversation, "t"), "answered")
    store.takeovers.claim(conversation, "kim")
    make_quiet(store, conversation)
    store.inbox.accept(chat(event_id="b"))
    assert store.steps.begin(conversation, "u").status == "hand_back"
    assert store.takeovers.hand_back_quiet(conversation).dropped == 0
    assert store.steps.begin(conversation, "u").head.event_id == "b"


def test_without_the_setting_only_a_person_ends_it(store, accept, claim, conversation, refused):
    accept("a")
    claim()
    make_quiet(store, conversation, 80 * 86_400)
    assert refused().status == "taken_over"
    assert store.takeovers.hand_back_quiet(conversation).status == "not_quiet"


# Lists


def test_the_list_names_who_why_and_how_many_wait(store, chat, conversation):
    for persona in ("ava", "bea"):
        store.inbox.accept(chat(persona=persona))
        store.takeovers.claim(Conversation(persona, "@lead"), "kim", persona)
    found = store.takeovers.all()
    assert [(each.conversation.persona, each.reason, each.waiting) for each in found] == [
        ("ava", "claimed by kim: ava", 1),
        ("bea", "claimed by kim: bea", 1),
    ]
    assert store.takeovers.all("bea") == found[1:]
    store.takeovers.hand_back(conversation, "joined")
    assert store.takeovers.all() == found[1:]


def test_one_that_is_handed_back_while_it_is_listed_is_left_out(store, conversation, accept, claim):
    accept("a")
    claim()
    store.redis.hdel(store.keys.of(conversation).conversation(conversation), "taken_over")
    assert store.takeovers.all() == []
