"""The ramp of openers and the count of how they ended, on a real server whose clock runs ahead."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, stored
from worker.store import Store
from worker.store.redis.ahead import advance

DAY = 86_400


@pytest.fixture
def make_ramp(make_settings, redis_server):
    """Stores with a ramp for ava; the first one empties the server. Their clock can be advanced."""
    stores = []

    def make(**outreach):
        settings = make_settings(personas={"ava": {"api_key": "k", "outreach": outreach}, "bea": {"api_key": "k"}})
        store = Store(settings, connections=3, ahead=True)
        if not stores:
            store.redis.flushall()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


def ask(store, number, persona="ava", valid_seconds=100 * DAY):
    """Seconds that an opener to this lead is told to wait."""
    return store.outreach.wait_of(Conversation(persona, f"@{number}"), "e", valid_seconds)


def gaps(moments):
    return [later - earlier for earlier, later in pairwise(moments)]


def test_without_a_ramp_nothing_waits_and_nothing_is_kept(make_ramp):
    store = make_ramp()
    assert [ask(store, number) for number in range(5)] == [0.0] * 5
    assert not store.redis.keys("parley:*")


def test_a_persona_without_a_ramp_whose_outreach_was_opened_again_waits_for_nothing(make_ramp):
    store = make_ramp()
    store.personas.open_gate("ava", "outreach")
    assert [ask(store, number) for number in range(3)] == [0.0] * 3
    assert store.redis.hkeys(store.keys.persona("ava").ramp) == ["resumed_at"]


def test_moments_are_handed_out_in_order_one_interval_apart(make_ramp):
    store = make_ramp(openers_per_hour=60, jitter=0)
    waits = [ask(store, number) for number in range(10)]
    assert waits[0] == 0.0
    assert gaps(waits) == [pytest.approx(60, abs=1)] * 9


def test_gaps_are_jittered_around_the_rate(make_ramp):
    store = make_ramp(openers_per_hour=60, jitter=0.5)
    between = gaps([ask(store, number) for number in range(400)])
    assert min(between) > 29
    assert max(between) < 91
    assert max(between) - min(between) > 40
    assert sum(between) / len(between) == pytest.approx(60, rel=0.1)


def test_a_moment_is_kept_until_it_comes_and_then_the_opener_goes(make_ramp):
    store = make_ramp(openers_per_hour=60, jitter=0)
    ask(store, 0)
    first = ask(store, 1)
    advance(store.redis, 20)
    assert ask(store, 1) == pytest.approx(first - 20, abs=1)
    advance(store.redis, 41)
    assert ask(store, 1) == 0.0
    assert store.outreach.state("ava").waiting == 0


def test_an_opener_that_went_may_go_again_and_takes_nobody_s_moment(make_ramp):
    store = make_ramp(openers_per_hour=60, jitter=0)
    assert [ask(store, 0) for _ in range(3)] == [0.0] * 3
    assert ask(store, 1) == pytest.approx(60, abs=1)


def test_the_rate_grows_each_day_up_to_its_limit(make_ramp):
    store = make_ramp(openers_per_hour=1, growth_per_day=2, openers_per_hour_limit=10, jitter=0)
    waits = [ask(store, number) for number in range(24 * (1 + 2 + 4 + 8 + 10))]
    days = [0] * 5
    for wait in waits:
        if wait < 5 * DAY:
            days[int(wait // DAY)] += 1
    assert days == [pytest.approx(24 * rate, abs=2) for rate in (1, 2, 4, 8, 10)]


def test_the_rate_is_that_of_the_day_on_which_an_opener_asks(make_ramp):
    store = make_ramp(openers_per_hour=1, growth_per_day=2, openers_per_hour_limit=10, jitter=0)
    ask(store, 0)
    advance(store.redis, 2 * DAY)
    assert ask(store, 1) == 0.0
    assert ask(store, 2) == pytest.approx(900, abs=1)
    assert store.outreach.state("ava").per_hour == 4


def test_no_moment_beyond_its_validity_is_handed_out(make_ramp):
    store = make_ramp(openers_per_hour=1, jitter=0)
    waits = [ask(store, number, valid_seconds=DAY) for number in range(200)]
    assert max(waits) <= DAY + 2
    assert store.outreach.state("ava").waiting <= 24
    advance(store.redis, 12 * 3600)
    fresh = ask(store, "fresh", valid_seconds=DAY)
    assert fresh == pytest.approx(12.5 * 3600, abs=3600), "a campaign that is too long takes no moments"


def test_what_comes_late_moves_the_whole_schedule_and_is_not_made_up_for(make_ramp):
    store = make_ramp(openers_per_hour=60, jitter=0)
    for number in range(20):
        ask(store, number)
    advance(store.redis, 7 * DAY)
    later = [ask(store, number) for number in range(1, 20)]
    assert later[0] == 0.0
    assert gaps(later) == [pytest.approx(60, abs=1)] * 18


def test_what_comes_late_out_of_order_moves_it_only_once(make_ramp):
    store = make_ramp(openers_per_hour=60, jitter=0)
    for number in range(20):
        ask(store, number)
    advance(store.redis, DAY)
    last = ask(store, 19)
    later = sorted(ask(store, number) for number in range(1, 19))
    assert last == 0.0
    assert later[0] == 0.0
    assert later[-1] == pytest.approx(17 * 60, abs=2)


def test_one_that_is_hours_late_while_others_went_in_time_moves_nobody(make_ramp):
    """Its lead slept, or a person had the conversation: no reason to let all others wait for as long."""
    store = make_ramp(openers_per_hour=6, jitter=0)
    waits = [ask(store, number) for number in range(60)]
    for number in range(2, 31):
        advance(store.redis, waits[number] - (waits[number - 1] if number > 2 else 0))
        assert ask(store, number) == 0.0
    next_before = ask(store, 31)
    assert ask(store, 1) == pytest.approx(waits[59] - waits[30] + 600, abs=5), "behind those that have a moment"
    assert ask(store, 31) == pytest.approx(next_before, abs=1)


def test_a_changed_ramp_hands_out_anew_and_wakes_who_waited(make_ramp, event_of):
    began = time.monotonic()
    slow = make_ramp(openers_per_hour=1, jitter=0)
    held = []
    for number in range(5):
        event = event_of("ai_opener", target=f"@{number}", event_id="e")
        slow.inbox.accept(event)
        grant = slow.steps.begin(Conversation("ava", f"@{number}"), f"t{number}")
        wait = slow.outreach.wait_of(grant.conversation, "e", 100 * DAY)
        if wait:
            slow.steps.hold(grant, wait, stored(Cause.RAMP), unknown=False, asked=False)
            held.append(grant.conversation)
        else:
            slow.steps.settle(grant, "answered")
    assert len(held) == 4
    slow.agenda.claim_due()
    assert slow.agenda.claim_due() == []
    fast = make_ramp(openers_per_hour=3600, jitter=0)
    wait = ask(fast, "new")
    assert 1 - (time.monotonic() - began) <= wait <= 1, "one interval of the new rate behind the last that went"
    assert sorted(found for found, _ in fast.agenda.claim_due()) == held
    wait = ask(fast, 1)
    assert 2 - (time.monotonic() - began) <= wait <= 2, "and one more"
    assert fast.redis.hget(fast.keys.persona("ava").ramp, "woken").startswith("3600 an hour")


def test_two_releases_with_different_ramps_do_not_add_up(make_ramp):
    one, other = make_ramp(openers_per_hour=60, jitter=0), make_ramp(openers_per_hour=30, jitter=0)
    waits = [ask(store, f"{number} {index}") for number in range(10) for index, store in enumerate((one, other))]
    assert waits.count(0.0) == 1


def test_a_ramp_that_is_taken_away_lets_all_go(make_ramp, event_of):
    ramped = make_ramp(openers_per_hour=1, jitter=0)
    ask(ramped, 0)
    ramped.inbox.accept(event_of("ai_opener", target="@1", event_id="e"))
    grant = ramped.steps.begin(Conversation("ava", "@1"), "t")
    ramped.steps.hold(grant, ask(ramped, 1), stored(Cause.RAMP), unknown=False, asked=False)
    ramped.agenda.claim_due()
    free = make_ramp()
    assert [ask(free, 2), ask(free, 3)] == [0.0, 0.0]
    assert free.agenda.claim_due() == [(Conversation("ava", "@1"), "outreach")]
    assert ask(free, 1) == 0.0


def test_a_process_that_dies_while_it_wakes_is_followed_by_another(make_ramp, monkeypatch):
    ask(make_ramp(openers_per_hour=1, jitter=0), 0)
    store, woken = make_ramp(openers_per_hour=2, jitter=0), []

    def die(persona, held_for):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.personas, "wake", die)
    with pytest.raises(KeyboardInterrupt):
        ask(store, 1)
    monkeypatch.setattr(store.personas, "wake", lambda persona, held_for: woken.append((persona, held_for)))
    ask(store, 2)
    assert woken == [], "the other one may still be at it"
    advance(store.redis, 61)
    ask(store, 3)
    ask(store, 4)
    assert woken == [("ava", stored(Cause.RAMP))]


def ended(store, number, verdict):
    return store.outreach.count(Conversation("ava", f"@{number}"), "e", verdict)


def test_outreach_stops_when_too_many_ended_badly(make_ramp):
    store = make_ramp(stop_share=0.3, stop_minimum=10)
    counts = [ended(store, number, "bad" if number % 3 == 0 else "good") for number in range(9)]
    assert not any(count.closed for count in counts), "too few are counted"
    count = ended(store, 9, "bad")
    assert (count.counted, count.bad, count.closed_now) == (10, 4, True)
    assert count.closed == "openers_bad bad=4 counted=10"
    for shard in store.keys.shards:
        assert store.redis.hget(shard.persona("ava"), "outreach") == count.closed


def test_who_closed_the_gate_is_told_again_and_nobody_else(make_ramp):
    store = make_ramp(stop_share=0.3, stop_minimum=2)
    ended(store, 0, "bad")
    assert ended(store, 1, "bad").closed_now
    assert ended(store, 1, "bad").closed_now, "the same call twice"
    count = ended(store, 2, "bad")
    assert (bool(count.closed), count.closed_now) == (True, False)


def test_an_opener_counts_once_and_only_the_last_ones_count(make_ramp):
    store = make_ramp(stop_share=0.9, stop_window=20, stop_minimum=20)
    for _ in range(3):
        for number in range(15):
            count = ended(store, number, "bad")
    assert (count.counted, count.bad) == (15, 15)
    for number in range(15, 40):
        count = ended(store, number, "good")
    assert (count.counted, count.bad, count.closed) == (20, 0, "")


def test_a_share_of_zero_never_stops(make_ramp):
    store = make_ramp(stop_share=0, stop_minimum=1)
    assert [ended(store, number, "bad").closed for number in range(60)] == [""] * 60


def test_opening_the_gate_starts_the_count_anew(make_ramp):
    store = make_ramp(stop_share=0.5, stop_minimum=2)
    ended(store, 0, "bad")
    ended(store, 1, "bad")
    store.personas.open_gate("ava", "outreach")
    assert store.personas.gates("ava") == {}
    count = ended(store, 2, "bad")
    assert (count.counted, count.closed) == (1, "")
    assert ended(store, 3, "bad").closed_now


def test_an_opener_that_ends_while_the_gate_is_opened_does_not_close_it_again(make_ramp, monkeypatch):
    store = make_ramp(stop_minimum=2)
    for number in range(5):
        ended(store, number, "bad")
    home, make_pipeline = store.keys.home("ava").persona("ava"), store.redis.pipeline

    def pipeline(**options):
        commands = make_pipeline(**options)

        def execute():
            for arguments, _ in commands.command_stack:
                store.redis.execute_command(*arguments)
                if arguments[:2] == ("HDEL", home):
                    monkeypatch.undo()
                    ended(store, "another", "bad")

        commands.execute = execute
        return commands

    monkeypatch.setattr(store.redis, "pipeline", pipeline)
    store.personas.open_gate("ava", "outreach")
    assert store.redis.lrange(store.keys.persona("ava").outcomes, 0, -1) == ["bad e ava:@another"]
    assert store.personas.gates("ava") == {}


def test_what_was_begun_before_the_gate_was_opened_neither_counts_nor_closes_it(make_ramp):
    store = make_ramp(stop_share=0.5, stop_minimum=1)
    begun_at = store.follow_ups.now() - 1
    assert ended(store, 0, "bad").closed_now
    store.personas.open_gate("ava", "outreach")
    opened_at = int(store.redis.hget(store.keys.persona("ava").ramp, "resumed_at"))
    late = store.outreach.count(Conversation("ava", "@1"), "e", "bad", begun_at)
    assert (late.counted, late.bad, late.closed, late.closed_now) == (0, 0, "", False)
    assert store.personas.gates("ava") == {}
    assert store.outreach.count(Conversation("ava", "@2"), "e", "bad", opened_at + 1).closed_now


def test_an_opener_that_closes_the_gate_while_it_is_opened_leaves_it_open_everywhere(make_ramp, monkeypatch):
    store = make_ramp(stop_share=0.5, stop_minimum=1)
    make_pipeline, woken = store.redis.pipeline, []

    def pipeline(**options):
        # The operator comes after the script has closed the gate in the home shard, before it is closed in the others.
        monkeypatch.undo()
        monkeypatch.setattr(store.gates, "wake", lambda persona, held_for="": woken.append(persona))
        store.personas.open_gate("ava", "outreach")
        return make_pipeline(**options)

    monkeypatch.setattr(store.redis, "pipeline", pipeline)
    ended(store, 0, "bad")
    assert [store.redis.hget(shard.persona("ava"), "outreach") for shard in store.keys.shards] == [None] * 16
    assert woken == ["ava", "ava"], "also what came to the closed gate in between"


def test_the_state_says_where_it_stands(make_ramp, event_of):
    store = make_ramp(openers_per_hour=60, growth_per_day=2, openers_per_hour_limit=100, jitter=0)
    for number in range(4):
        ask(store, number)
    store.inbox.accept(event_of("ai_opener", target="@ready"))
    ended(store, 0, "bad")
    ended(store, 1, "good")
    state = store.outreach.state("ava")
    assert (state.per_hour, state.waiting, state.ready, state.gone_today) == (60, 3, 1, 1)
    assert state.next_free - state.now == pytest.approx(240_000, abs=2000)
    assert (state.counted, state.bad, state.closed) == (2, 1, "")
    advance(store.redis, 7 * DAY)
    state = store.outreach.state("ava")
    assert (state.per_hour, state.gone_today, state.next_free) == (100, 0, state.now)
    assert store.outreach.state("bea").per_hour is None
