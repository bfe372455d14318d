"""The store's clock is set back by an hour, or forward and back: nothing that was stored waits longer than it may, and
no order is read off the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.store.conversations.turn_steps import Grant, NotNow
from worker.store.heartbeats import KEY as ALIVE
from worker.store.heartbeats import Processes
from worker.store.queues.accept_queue import AcceptList
from worker.store.redis.ahead import KEY
from worker.store.redis.scripts import Scripts

HOUR = 3_600_000
LEAD = Conversation("ava", "@lead")
DAY = 86_400_000


@pytest.fixture
def step(redis_server):
    """Set the clock: so many milliseconds ahead of the server's."""

    def run(store, ahead):
        store.redis.set(KEY, ahead)

    return run


@pytest.fixture
def make(make_store, step):
    """Stores whose clock is an hour ahead, so that it can step back."""

    def run(**overrides):
        store = make_store(ahead=True, **{"lease": {"ttl_seconds": 6, "renew_seconds": 2}, **overrides})
        step(store, HOUR)
        return store

    return run


@pytest.fixture
def store(make):
    """One with the usual settings."""
    return make()


def now(store):
    return store.follow_ups.now()


def tick(store):
    """What a beat does: conversations that it rings for."""
    return [conversation for conversation, _ in store.agenda.claim_due()]


def seconds_left(store, *fields):
    values = store.redis.hmget(store.keys.of(LEAD).conversation(LEAD), *fields)
    return [None if value is None else (int(value) - now(store)) / 1000 for value in values]


def due_in(store, index="agenda"):
    return (store.redis.zscore(getattr(store.keys.of(LEAD), index), LEAD.name) - now(store)) / 1000


def test_a_lease_of_a_killed_worker_ends_in_its_time(store, begin, accept, step):
    accept("a")
    begin()
    step(store, 0)
    tick(store)
    assert seconds_left(store, "lease_until")[0] <= 6
    assert due_in(store) <= 6


def test_a_step_is_found_by_whatever_script_comes_first(store, begin, accept, step, conversation):
    accept("a")
    begin()
    step(store, 0)
    answer = store.steps.begin(conversation, "next")
    assert isinstance(answer, NotNow)
    assert (answer.status, answer.until - now(store) <= 6000) == ("busy", True)
    assert due_in(store) <= 6


def test_a_turn_under_way_keeps_its_lease(store, begin, accept, step, conversation):
    accept("a")
    grant = begin()
    step(store, 0)
    assert store.steps.begin(conversation, "next").status == "busy"
    assert store.steps.renew([grant]) == []
    assert store.steps.record(grant, '{"bubbles": ["hello"]}').status == "holder"
    assert store.steps.settle(grant, "answered").status == "settled"


def test_a_step_forward_costs_no_turn_its_lease(store, begin, accept, step, conversation):
    accept("a")
    grant = begin()
    step(store, 2 * HOUR)
    assert tick(store) == []
    assert store.steps.begin(conversation, "next").status == "busy"
    assert store.steps.renew([grant]) == []
    assert store.steps.record(grant, '{"bubbles": ["hello"]}').status == "holder"


def test_a_killed_worker_s_lease_lasts_once_more_after_a_step_forward(store, begin, accept, step, conversation):
    accept("a")
    begin()
    step(store, 2 * HOUR)
    tick(store)
    assert 0 < seconds_left(store, "lease_until")[0] <= 6
    for seconds in (2, 4, 6.1):
        step(store, 2 * HOUR + int(seconds * 1000))
        rung = tick(store)
    assert rung == [conversation]
    begin()


def test_a_lease_ends_in_its_time_while_a_beat_runs(store, begin, accept, step, conversation):
    accept("a")
    begin()
    for seconds in (2, 4, 6.1):
        step(store, HOUR + int(seconds * 1000))
        rung = tick(store)
    assert rung == [conversation]
    begin()


def test_what_is_held_waits_no_longer_than_was_left(store, begin, accept, step):
    accept("a")
    store.steps.hold(begin(), 30, "later", unknown=False)
    step(store, 0)
    tick(store)
    # What is lost of a step is at most what the clock of the shard is behind.
    assert 20 < seconds_left(store, "hold_until")[0] <= 33
    assert 20 < due_in(store) <= 33


def test_a_hold_that_had_passed_is_over(store, begin, accept, step):
    accept("a")
    store.steps.hold(begin(), 30, "later", unknown=False)
    for seconds in range(5, 65, 5):
        step(store, HOUR + seconds * 1000)
        store.agenda.look()
    step(store, 0)
    assert tick(store) == [LEAD]
    begin()


def test_a_long_hold_is_no_longer_after_a_step_forward_and_back(store, begin, accept, step):
    step(store, 0)
    accept("a")
    store.steps.hold(begin(), DAY / 1000, "told to wait for a day", unknown=False)
    step(store, HOUR)
    tick(store)
    step(store, 0)
    tick(store)
    assert 82_000 < seconds_left(store, "hold_until")[0] <= 86_400


def test_a_message_that_waits_for_more_is_answered_in_its_time(make, chat, step, begin, conversation):
    store = make(join={"settle_seconds": 30, "settle_limit_seconds": 60})
    store.inbox.accept(chat())
    step(store, 0)
    tick(store)
    assert due_in(store) <= 60
    answer = store.steps.begin(conversation, "t")
    assert (answer.status, answer.until - now(store) <= 60_000) == ("quiet", True)


def test_a_lost_doorbell_is_rung_again_in_time(store, accept, step):
    accept("a")
    store.redis.delete("turns")
    step(store, 0)
    tick(store)
    assert due_in(store) <= 7


def test_a_beat_keeps_the_clock_of_a_store_in_which_nothing_else_happens(store, begin, accept, step):
    accept("a")
    store.steps.hold(begin(), 600, "later", unknown=False)
    for minute in range(1, 6):
        step(store, HOUR + 60_000 * minute)
        tick(store)
    step(store, HOUR)
    tick(store)
    assert seconds_left(store, "hold_until")[0] <= 305


@pytest.mark.parametrize("gate", ["hold", "circuit", "credits"])
def test_a_gate_opens_in_its_time(store, accept, step, gate):
    if gate == "hold":
        store.personas.hold("ava", 60, "throttled")
    else:
        store.personas.close_for_probing("ava", gate, "away")
    accept("a")
    step(store, 0)
    tick(store)
    fields = store.redis.hgetall(store.keys.of(LEAD).persona("ava"))
    assert int(fields[f"{gate}_until"]) - now(store) <= 63_000


def test_moments_of_a_key_with_a_limit_come_in_their_time(make, step):
    store = make(personas={"ava": {"api_key": "k", "calls_per_second": 0.5}, "bea": {"api_key": "b"}})
    waits = [store.places.admit(Conversation("ava", f"@{n}"), f"t{n}", n).wait_seconds for n in range(5)]
    step(store, 0)
    again = [store.places.admit(Conversation("ava", f"@{n}"), f"u{n}", n).wait_seconds for n in range(1, 5)]
    assert all(after <= before + 4 for before, after in zip(waits[1:], again, strict=True))
    assert store.places.admit(Conversation("ava", "@new"), "v", 9).wait_seconds <= 14


def test_places_of_running_calls_are_free_in_their_time(make, step, redis_server):
    store = make(personas={"ava": {"api_key": "k", "calls_at_once": 1}, "bea": {"api_key": "b"}})
    assert not store.places.admit(Conversation("ava", "@1"), "killed", 1).in_line
    step(store, 0)
    store.places.admit(Conversation("ava", "@2"), "t", 2)
    running = store.keys.persona("ava").running
    assert (store.redis.zscore(running, "killed") or 0) - now(store) <= 8_000


def test_moments_of_follow_ups_at_an_hourly_pace_come_in_their_time(make, step):
    store = make(follow_ups={"per_hour": 60})
    states = [store.follow_ups.state_of(Conversation("ava", f"@{n}")) for n in range(4)]
    store.follow_up_caps.held_back(states, now(store))
    step(store, 0)
    moved = store.follow_up_caps.held_back(states, now(store))
    assert all(move.at - now(store) <= 3 * 60_000 + 3000 for move in moved.values())


def test_what_is_kept_for_gates_and_queues_is_due_in_its_time(store, accept, begin, step, state, journal):
    """Written as it is stored: each has its own tests where it is used."""
    accept("a")
    begin()
    shard, soon, at = store.keys.of(LEAD), now(store) + 60_000, now(store)
    store.redis.hset(shard.conversation(LEAD), mapping={"probing": f"circuit {soon} t1", "rung_at": at})
    store.redis.hset(shard.journal(LEAD, "a"), "failed", f"{at} unknown 1000 3 no answer")
    store.redis.hset(shard.persona("ava"), "succeeded_at", at)
    store.redis.zadd(shard.key("errands"), {"probe circuit ava": soon})
    store.redis.zadd(shard.key("rung"), {LEAD.name: at})
    store.redis.sadd(shard.key("queued"), "unknown")
    store.redis.zadd(shard.key("parked:unknown"), {"unknown:@lead": at})
    step(store, 0)
    tick(store)
    gate, until, token = state()["probing"].split()
    assert (gate, int(until) - now(store) <= 63_000, token) == ("circuit", True, "t1")
    failed_at, _, failure = journal("a")["failed"].partition(" ")
    assert (int(failed_at) <= now(store), failure) == (True, "unknown 1000 3 no answer")
    past = [state()["rung_at"], store.redis.hget(shard.persona("ava"), "succeeded_at")]
    past += [store.redis.zscore(shard.key("rung"), LEAD.name)]
    past += [store.redis.zscore(shard.key("parked:unknown"), "unknown:@lead")]
    assert all(int(value) <= now(store) for value in past)
    assert store.redis.zscore(shard.key("errands"), "probe circuit ava") - now(store) <= 63_000


def test_a_failure_that_was_counted_at_once_stays_so(store, accept, step, journal):
    accept("a")
    store.redis.hset(store.keys.of(LEAD).journal(LEAD, "a"), "failed", "9999999999999 refused 1000 3 no")
    step(store, 0)
    tick(store)
    assert journal("a")["failed"] == "9999999999999 refused 1000 3 no"


def test_a_ramp_goes_on_in_its_time(make, step):
    outreach = {"openers_per_hour": 60, "jitter": 0}
    store = make(personas={"ava": {"api_key": "k", "outreach": outreach}, "bea": {"api_key": "b"}})

    def waits():
        return [store.outreach.wait_of(Conversation("ava", f"@{n}"), "e", 99_999) for n in range(4)]

    waits()
    step(store, 0)
    assert waits() == [0.0, *(pytest.approx(60 * n, abs=5) for n in range(1, 4))]
    assert store.outreach.wait_of(Conversation("ava", "@new"), "e", 99_999) == pytest.approx(240, abs=5)


def test_a_quiet_takeover_ends_in_its_time(make, chat, claim, step, conversation):
    policy = {"hand_back_after_seconds": 1800}
    store = make(personas={"ava": {"api_key": "k", "takeover": policy}, "bea": {"api_key": "b"}})
    store.inbox.accept(chat())
    store.takeovers.claim(conversation, "kim")
    step(store, 0)
    tick(store)
    answer = store.steps.begin(conversation, "t")
    assert (answer.status, answer.until - now(store) <= 1_800_000) == ("taken_over", True)
    step(store, 1_800_500)
    assert store.steps.begin(conversation, "t").status == "hand_back"
    assert store.takeovers.hand_back_quiet(conversation).status == "handed_back"


def test_a_touch_of_the_cadence_comes_after_its_delay(store, begin, accept, step):
    accept("a")
    at = now(store)
    store.steps.settle(begin(), "answered", follow_up=Planned(0, at, Touch(at + 7_200_000, "step 1")))
    step(store, 0)
    tick(store)
    assert 7_000 < due_in(store, "follow_ups") <= 7_200
    touch = store.follow_ups.state_of(LEAD)
    assert touch.quiet_from <= now(store)
    assert touch.meant_for == touch.due


def test_a_touch_is_planned_from_the_clock_as_it_is_when_the_turn_ends(store, begin, accept, step):
    accept("a")
    grant, at = begin(), now(store)
    step(store, 0)
    store.steps.settle(grant, "answered", follow_up=Planned(0, at, Touch(at + 7_200_000, "step 1")))
    assert due_in(store, "follow_ups") <= 7_200
    assert store.follow_ups.state_of(LEAD).quiet_from <= now(store)


def test_a_touch_that_a_producer_asked_for_keeps_its_time_of_day(store, chat, begin, accept, step):
    accept("a")
    answered_at = now(store)
    store.steps.settle(begin(), "answered", follow_up=Planned(0, answered_at, Touch(answered_at + HOUR, "step 1")))
    at = datetime.now(UTC) + timedelta(days=2)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@lead", not_before=at, channel=chat().channel))
    step(store, 0)
    tick(store)
    assert store.follow_ups.state_of(LEAD).due == int(at.timestamp() * 1000)


def test_nothing_that_waits_is_younger_than_now(store, begin, accept, step, conversation):
    accept("a", "b")
    store.steps.hold(begin(), 1, "later", unknown=False)
    step(store, 0)
    tick(store)
    for event_id in ("a", "b"):
        assert int(store.redis.hget(store.keys.of(LEAD).journal(LEAD, event_id), "accepted_at")) <= now(store)
    assert seconds_left(store, "last_inbound")[0] <= 0


def test_opening_a_gate_makes_what_waits_due_now(store, accept, step):
    accept("a")
    step(store, 0)
    store.personas.wake("ava")
    assert due_in(store) <= 0


def test_forgetting_waits_no_longer_than_a_lease(store, begin, accept, step):
    accept("a")
    begin()
    step(store, 0)
    assert store.forgetting.forget(LEAD, store.forgetting.traces(LEAD)).status == "busy"
    assert seconds_left(store, "lease_until")[0] <= 6


def test_a_store_that_kept_no_clock_goes_by_the_latest_acceptance(store, begin, accept, step):
    """As 0.1.0 leaves it."""
    accept("a")
    begin()
    store.redis.delete(store.keys.of(LEAD).clock)
    step(store, 0)
    tick(store)
    assert seconds_left(store, "lease_until")[0] <= 6


def test_a_small_difference_is_no_step(store, begin, accept, step, state):
    accept("a")
    store.steps.hold(begin(), 30, "later", unknown=False)
    at = state()["hold_until"]
    step(store, HOUR - 900)
    tick(store)
    assert state()["hold_until"] == at


def test_a_full_step_is_mended_once(store, begin, accept, step):
    accept("a")
    store.steps.hold(begin(), 300, "later", unknown=False)
    step(store, HOUR - 60_000)
    for _ in range(5):
        tick(store)
        store.inbox.accept(FollowUp(persona="ava", target="@lead", event_id="b"))
    assert seconds_left(store, "hold_until")[0] > 285


@pytest.mark.parametrize("kind", ["ai_opener", "follow_up"])
def test_who_speaks_first_gives_way_to_what_the_lead_wrote_after_it(store, event_of, chat, step, begin, kind):
    store.inbox.accept(event_of(kind))
    step(store, 0)
    store.inbox.accept(chat())
    assert begin().lead_wrote
    tick(store)
    assert store.measures.take().waiting[("ava", "turn")].events == 2


@pytest.mark.parametrize("kind", ["ai_opener", "follow_up"])
def test_what_the_lead_wrote_before_keeps_nobody_from_speaking_first(store, event_of, accept, step, begin, kind):
    accept("a")
    store.steps.settle(begin(), "answered")
    step(store, 0)
    store.inbox.accept(event_of(kind))
    assert [lane for _, lane in store.agenda.claim_due()] == ["outreach"]
    assert not begin().lead_wrote


@pytest.mark.parametrize("kind", ["ai_opener", "follow_up"])
def test_the_order_within_one_millisecond_is_known(store, event_of, accept, begin, state, kind):
    accept("a")
    store.steps.settle(begin(), "answered")
    store.inbox.accept(event_of(kind, event_id="b"))
    journal = store.keys.of(LEAD).journal(LEAD, "b")
    store.redis.hset(journal, "accepted_at", state()["last_inbound"])
    store.redis.zrem(store.keys.of(LEAD).ready, LEAD.name)
    store.redis.zadd(store.keys.of(LEAD).agenda, {LEAD.name: 1})
    assert [lane for _, lane in store.agenda.claim_due()] == ["outreach"]
    assert not begin().lead_wrote


def test_what_an_older_release_accepted_goes_by_its_time(store, event_of, begin, accept):
    accept("a")
    store.steps.settle(begin(), "answered")
    store.inbox.accept(event_of("ai_opener", event_id="b"))
    shard = store.keys.of(LEAD)
    # 0.1.0 takes in a message of the lead: it counts no order.
    store.redis.hset(shard.conversation(LEAD), "last_inbound", now(store) + 1)
    store.redis.zrem(shard.ready, LEAD.name)
    store.redis.zadd(shard.agenda, {LEAD.name: 1})
    assert [lane for _, lane in store.agenda.claim_due()] == ["turns"]
    assert begin().lead_wrote


def test_an_opener_of_an_older_release_goes_by_its_time(store, event_of, chat, begin):
    store.inbox.accept(event_of("ai_opener", event_id="b"))
    store.redis.hdel(store.keys.of(LEAD).journal(LEAD, "b"), "seq")
    store.inbox.accept(chat())
    assert begin().lead_wrote


def test_numbers_grow_when_the_state_of_a_conversation_has_expired(store, event_of, accept, begin, state, step):
    step(store, 0)
    store.inbox.accept(event_of("ai_opener", event_id="b"))
    before = int(state()["seq"])
    store.redis.delete(store.keys.of(LEAD).conversation(LEAD))
    step(store, HOUR)
    accept("a")
    assert int(state()["seq"]) > before
    assert begin().lead_wrote


@pytest.mark.parametrize("stepped_before_death", [True, False])
def test_a_reply_belongs_to_the_group_that_it_was_given_to(
    store, accept, begin, step, journal, stepped_before_death, conversation
):
    """a and b die together: with their reply, when the clock steps between reply and death; else a is asked alone."""
    accept("a", "b")
    grant = begin()
    assert isinstance(grant, Grant)
    if stepped_before_death:
        store.steps.record(grant, '{"bubbles": ["to both"]}')
        step(store, 0)
    store.steps.settle(grant, "dead", "refused")
    store.dead_letters.replay(conversation, "a", "place")
    if not stepped_before_death:
        step(store, 0)
        grant = begin()
        store.steps.record(grant, '{"bubbles": ["to a"]}')
        store.steps.settle(grant, "answered")
    else:
        store.steps.settle(begin(), "answered")
    assert journal("b")["fate"] == ("joined" if stepped_before_death else "dead")


def test_a_process_that_is_gone_is_not_alive_for_an_hour(store, step):
    other = Processes(store.redis, Scripts(store.redis))
    other.sign("worker", 5)
    store.redis.zadd(ALIVE, {"worker gone:1": now(store) + 15_000})
    step(store, 0)
    other.sign("worker", 5)
    alive = other.alive()
    assert (alive.workers, alive.beats) == (1, 0)


def test_a_reader_that_is_gone_keeps_nobody_from_reading(store):
    queue = AcceptList(store.redis)
    assert queue.become_reader()
    store.redis.pexpire("parley:accept:reader", HOUR)
    assert queue.become_reader() is None
    assert store.redis.pttl("parley:accept:reader") <= 30_000


@pytest.mark.parametrize("steps", [[0], [HOUR // 2, 0]])
def test_an_answer_that_comes_late_still_finds_its_event(store, begin, accept, step, steps):
    accept("a")
    late = begin()
    store.redis.hset(store.keys.of(LEAD).conversation(LEAD), "lease_until", 1)
    for ahead in steps:
        step(store, ahead)
        store.measures.take()
    begin("heir")
    assert (store.steps.record(late, "the answer").status, store.steps.record(late, "x").reply) == (
        "lost",
        "the answer",
    )
