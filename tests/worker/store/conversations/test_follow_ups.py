"""The next touch in the store: at most one for each conversation, and a reply of the lead always wins."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.cadence import Drop, Miss, Move, NoTouch, Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.store.encryption import Undecryptable

LEAD = Conversation("ava", "@lead")


def quiet_from(store, seconds=0.0, step=0):
    """A delivery right now, and a touch so many seconds after it."""
    now = store.follow_ups.now()
    return Planned(step, now, Touch(now + int(seconds * 1000), "because"))


def touch_of(store):
    return store.follow_ups.state_of(LEAD)


def due(store):
    return [state for states in store.follow_ups.due(10) for state in states]


def words(store):
    return [(moment.word, moment.details[-1]) for moment in store.timeline.of(LEAD) if "follow-up" in moment.word]


def fire(store, touch, event_id=""):
    own_id = event_id or f"follow-up-{touch.plan}-{touch.step}"
    event = FollowUp(event_id=own_id, persona="ava", target="@lead")
    return store.inbox.accept(event, plan=touch.plan).status


@pytest.fixture
def answered(store, chat, begin):
    """A conversation that was answered; its next touch is due in so many seconds."""

    def run(seconds=0.0):
        store.inbox.accept(chat())
        store.steps.settle(begin(), "answered", mark="started", follow_up=quiet_from(store, seconds))
        return touch_of(store)

    return run


@pytest.fixture
def ask_for(store, channel):
    """A producer's request for a follow-up, so many seconds from the store's now."""

    def run(seconds=3600.0, **fields):
        at = datetime.fromtimestamp(store.follow_ups.now() / 1000 + seconds, UTC)
        event = FollowUp(**{"persona": "ava", "target": "@lead", "not_before": at, "channel": channel, **fields})
        return store.follow_ups.schedule(event), event

    return run


def test_a_delivered_reply_with_nothing_behind_it_plans_the_next_touch(store, answered):
    touch = answered(3600)
    assert (touch.plan, touch.step, touch.due - touch.quiet_from) == (2, 0, 3_600_000)
    assert (touch.meant_for, touch.rule) == (touch.due, "because")
    assert words(store) == [("follow-up planned", "because")]
    assert due(store) == []
    assert store.follow_ups.upcoming(10) == [touch]


def test_nothing_is_planned_while_the_lead_waits(store, chat, begin):
    store.inbox.accept(chat())
    grant = begin()
    store.inbox.accept(chat())
    store.steps.settle(grant, "answered", follow_up=quiet_from(store))
    assert due(store) == []


def test_a_due_touch_becomes_one_event_however_many_dispatch_it(store, answered):
    touch = answered()
    assert due(store) == [touch]
    assert [fire(store, touch) for _ in range(3)] == ["accepted", "duplicate", "duplicate"]
    assert due(store) == []
    assert touch_of(store).touches == 1


def test_a_reply_accepted_before_the_dispatch_wins(store, chat, answered):
    touch = answered()
    store.inbox.accept(chat())
    assert fire(store, touch) == "stale"
    assert due(store) == []
    assert words(store)[-1] == ("follow-up dropped", "lead_wrote")


@pytest.mark.parametrize("why", ["the lead writes", "a person takes over"])
def test_a_plan_that_is_over_leaves_nothing_that_a_touch_could_count_from(store, chat, answered, why):
    touch = answered(3600)
    if why == "the lead writes":
        store.inbox.accept(chat())
    else:
        store.takeovers.claim(LEAD, "operator", "a call")
    after = touch_of(store)
    assert (after.plan, after.step, after.quiet_from, after.due) == (touch.plan + 1, 0, 0, 0)
    assert (after.meant_for, after.rule) == (0, "")
    assert list(store.follow_ups.quiet("ava")) == [[]]


def test_a_reply_accepted_after_the_dispatch_is_known_to_the_turn(store, chat, answered, begin):
    fire(store, answered())
    store.inbox.accept(chat())
    grant = begin()
    assert grant.head.kind == "follow_up"
    assert grant.last_inbound >= grant.head.accepted_at


def test_a_touch_does_not_stand_in_line_behind_another_event(store, answered, event_of):
    touch = answered()
    store.inbox.accept(event_of("event_trigger"))
    assert fire(store, touch) == "waits"
    assert due(store) == [touch]


def test_a_touch_that_is_not_due_does_not_fire(store, answered):
    assert fire(store, answered(3600)) == "stale"


@pytest.mark.parametrize("mark", ["sealed", "owned_elsewhere"])
def test_a_lead_who_is_lost_is_not_followed_up(store, chat, answered, begin, mark):
    answered()
    store.inbox.accept(chat())
    store.steps.settle(begin(), "ignored", mark=mark, follow_up=quiet_from(store))
    assert due(store) == []
    assert touch_of(store).over


def test_a_takeover_drops_the_touch_also_one_that_is_just_being_dispatched(store, answered):
    touch = answered()
    store.takeovers.claim(LEAD, "me", "mine")
    assert due(store) == []
    assert fire(store, touch) == "stale"
    assert words(store)[-1][0] == "follow-up dropped"


def test_a_reply_that_goes_on_without_a_touch_drops_the_one_that_was_planned(store, answered, event_of, begin):
    answered(3600)
    store.inbox.accept(event_of("event_trigger"))
    over = Planned(3, store.follow_ups.now(), NoTouch("cadence_over"))
    store.steps.settle(begin(), "answered", follow_up=over)
    assert touch_of(store).due == 0
    assert words(store)[-1] == ("follow-up dropped", "cadence_over")


def test_a_turn_that_says_nothing_of_the_plan_leaves_it(store, answered, event_of, begin):
    touch = answered(3600)
    store.inbox.accept(event_of("event_trigger"))
    store.steps.settle(begin(), "dead")
    assert touch_of(store) == touch


def test_a_persona_that_does_not_know_the_lead_drops_the_plan(store, answered, event_of, begin):
    answered(3600)
    store.inbox.accept(event_of("follow_up"))
    store.steps.settle(begin(), "skipped", "no conversation yet (404)", follow_up="drop")
    assert touch_of(store).due == 0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (Move(9_000_000_000_000, "later"), ("follow-up moved", "later")),
        (Drop("enough"), ("follow-up dropped", "enough")),
        (Miss("late", Planned(1, 5, NoTouch("over"))), ("follow-up dropped", "over")),
        (Miss("late", Planned(1, 5, Touch(9_000_000_000_000, "next"))), ("follow-up planned", "next")),
    ],
)
def test_a_touch_changes_once_and_only_as_it_was_read(store, answered, change, word):
    touch = answered()
    assert store.follow_ups.apply([(replace(touch, plan=touch.plan + 1), change)]) == 0
    assert store.follow_ups.apply([(replace(touch, due=touch.due + 1), change)]) == 0
    assert [store.follow_ups.apply([(touch, change)]) for _ in range(2)] == [1, 0]
    assert words(store)[-1] == word
    assert len(words(store)) == (3 if isinstance(change, Miss) else 2)
    assert fire(store, touch) == "stale"


def test_a_miss_goes_on_with_the_next_step_counted_from_then(store, answered):
    touch = answered()
    store.follow_ups.apply([(touch, Miss("late", Planned(1, 7, Touch(9_000_000_000_000, "next"))))])
    after = touch_of(store)
    assert (after.plan, after.step, after.quiet_from, after.due) == (touch.plan + 1, 1, 7, 9_000_000_000_000)


def test_a_touch_that_only_waits_stays_late_and_says_so_once(store, answered):
    touch = answered()
    for minute in range(3):
        state = touch_of(store)
        at = store.follow_ups.now() + 300_000 + minute
        assert store.follow_ups.apply([(state, Move(at, "ava is paused", meant=False))]) == 1
    assert touch_of(store).meant_for == touch.meant_for
    assert [word for word, _ in words(store)] == ["follow-up planned", "follow-up moved"]


def test_a_touch_can_be_planned_where_none_is(store, answered):
    touch = answered()
    store.follow_ups.apply([(touch, Drop("enough"))])
    none = touch_of(store)
    assert none.due == 0
    move = Move(none.quiet_from + 5, "a new cadence")
    assert [store.follow_ups.apply([(none, move)]) for _ in range(2)] == [1, 0]
    assert touch_of(store).due == none.quiet_from + 5


def test_a_producer_asks_for_a_touch_in_place_of_the_one_that_was_planned(store, answered, ask_for):
    before = answered()
    scheduled, event = ask_for(3600)
    assert (scheduled.status, scheduled.position) == ("scheduled", 0)
    touch = touch_of(store)
    assert touch.requested_at == touch.due == int(event.not_before.timestamp() * 1000)
    assert fire(store, before) == "stale"
    assert store.follow_ups.schedule(event).status == "scheduled"
    assert touch_of(store) == touch
    assert len(words(store)) == 2


def test_the_newest_request_wins(store, answered, ask_for):
    answered()
    ask_for(3600, event_id="a")
    ask_for(7200, event_id="a")
    ask_for(60, event_id="b")
    (touch,) = store.follow_ups.upcoming(10)
    assert 0 < touch.due - store.follow_ups.now() <= 60_000


def test_a_request_is_not_overwritten_by_the_cadence_and_a_reply_dissolves_it(
    store, answered, ask_for, event_of, begin, chat
):
    answered()
    ask_for(3600)
    asked_for = touch_of(store)
    store.inbox.accept(event_of("event_trigger"))
    store.steps.settle(begin(), "answered", follow_up=quiet_from(store, 60, step=0))
    assert (touch_of(store).due, touch_of(store).plan) == (asked_for.due, asked_for.plan)
    assert touch_of(store).quiet_from >= asked_for.quiet_from
    store.inbox.accept(chat())
    assert (touch_of(store).due, touch_of(store).requested_at) == (0, 0)


def test_a_request_whose_event_was_accepted_before_is_a_duplicate(store, ask_for, event_of):
    store.inbox.accept(event_of("follow_up", event_id="mine"))
    scheduled, _ = ask_for(event_id="mine")
    assert (scheduled.status, scheduled.position) == ("duplicate", 1)
    assert touch_of(store).due == 0


def test_a_request_for_a_lead_without_channel_is_refused(store, ask_for):
    assert ask_for(channel=None)[0].status == "no_channel"
    assert ask_for()[0].status == "scheduled"


def test_a_request_for_the_past_is_due_now_and_late_from_now_on(store, ask_for):
    now = store.follow_ups.now()
    ask_for(-7 * 86_400)
    (touch,) = due(store)
    assert touch.due < now <= touch.meant_for


def test_what_is_cancelled_does_not_fire(store, answered):
    touch = answered()
    assert [store.follow_ups.cancel(LEAD) for _ in range(2)] == [True, False]
    assert fire(store, touch) == "stale"
    assert words(store)[-1] == ("follow-up dropped", "touch_cancelled")


def test_a_quiet_conversation_is_kept_until_its_touch_was_looked_at(make_store, chat, ask_for):
    one_day = {"conversation_seconds": 86_400, "dead_seconds": 86_400, "settled_seconds": 86_400}
    store = make_store(retention=one_day)
    at = datetime.now(UTC) + timedelta(days=10)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@lead", not_before=at, channel=chat().channel))
    shard = store.keys.of(LEAD)
    assert store.redis.ttl(shard.conversation(LEAD)) > 10 * 86_400 - 60
    assert store.redis.ttl(shard.timeline(LEAD)) > 0
    store.follow_ups.cancel(LEAD)
    assert 0 < store.redis.ttl(shard.conversation(LEAD)) <= 86_400


def test_all_quiet_conversations_of_a_persona_are_found(store, channel):
    for number in range(30):
        at = datetime.now(UTC) + timedelta(days=1)
        persona = "ava" if number % 3 else "bea"
        store.follow_ups.schedule(FollowUp(persona=persona, target=f"@{number}", not_before=at, channel=channel))
    found = [state for states in store.follow_ups.quiet("ava") for state in states]
    assert len(found) == 20
    assert all(state.conversation.startswith("ava:") and state.due for state in found)


def test_a_touch_of_an_earlier_plan_does_not_fire_in_place_of_the_one_that_is_due(store, answered):
    """A dispatcher read it, then the lead wrote and was answered."""
    earlier, now = answered(), answered()
    assert fire(store, earlier) == "stale"
    assert due(store) == [now]
    assert fire(store, now) == "accepted"


def test_any_number_of_quiet_conversations_is_read_in_parts(make_store):
    store = make_store(agenda={"shards": 1})
    shard = store.keys.shards[0]
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(1001):
            pipeline.hset(shard.conversation(Conversation("ava", f"@{number}")), "quiet_from", 1)
        pipeline.execute()
    parts = [len(part) for part in store.follow_ups.quiet("ava")]
    assert (len(parts), sum(parts)) == (2, 1001)


def test_a_follow_up_without_a_time_is_not_scheduled(store, channel):
    with pytest.raises(ValueError, match="only a follow-up with not_before"):
        store.follow_ups.schedule(FollowUp(persona="ava", target="@lead", channel=channel))


def test_what_was_asked_for_is_not_moved_by_a_process_that_cannot_read_it(make_store, answered, channel):
    answered(60)
    keys = [base64.b64encode(letter * 32).decode() for letter in (b"k", b"o")]
    store, other = (make_store(encryption={"keys": [key]}) for key in keys)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@lead", channel=channel, not_before=tomorrow))
    before = touch_of(store).due
    with pytest.raises(Undecryptable):
        other.follow_ups.move(LEAD, tomorrow + timedelta(hours=1))
    assert touch_of(store).due == before
    assert store.follow_ups.move(LEAD, tomorrow + timedelta(hours=1))
