"""A process that gives no sign is taken for dead, and one that could not give any is not."""

from __future__ import annotations

import threading
import time

import pytest

from worker.domain.conversation import Conversation
from worker.store import StoreError
from worker.store.conversations.leases import LeaseKeeper
from worker.store.conversations.process_leases import ProcessLeases
from worker.store.redis.ahead import KEY

LEAD = Conversation("ava", "@lead")
SHARD = "a shard"


@pytest.fixture
def store(make_store):
    """One whose clock a test sets."""
    return make_store(ahead=True)


@pytest.fixture
def at(store):
    """Set the clock: so many seconds after the beginning."""
    began, clock = time.monotonic(), store.redis.time()[0]
    assert clock > 0

    def run(seconds):
        store.redis.set(KEY, int((seconds - (time.monotonic() - began)) * 1000))

    run(0)
    return run


@pytest.fixture
def tick(store):
    """What beat has done at each tick: conversations that get a doorbell."""
    return lambda: [conversation for conversation, _ in store.agenda.claim_due(store.agenda.look().shards)]


@pytest.fixture
def make_process(store):
    """A process that gives signs only when the test says so."""

    def make():
        process = store.process_leases()
        process.stop()
        return process

    return make


@pytest.fixture
def runs(store, accept, begin, at, tick, make_process):
    """A process that has begun a turn and gave a sign just now."""

    def run(event_id="a", began_at=0):
        accept(event_id)
        process = make_process()
        with process.turn_in(store.keys.of(LEAD)):
            grant = begin(f"{process.name}-1")
        # Nobody had a reason to look before.
        tick()
        at(began_at)
        process.renew_once()
        return process, grant

    return run


def at_each_half_second(at, tick, first, last, beside=lambda: None):
    """What gets a doorbell, and when for the first time."""
    rung = {}
    for number in range(int(2 * first), int(2 * last) + 1):
        # A little later, so that a time that ends then is over.
        at(number / 2 + 0.2)
        beside()
        rung = {**dict.fromkeys(tick(), number / 2), **rung}
    return [(seconds, each) for each, seconds in rung.items()]


def test_the_turns_of_a_dead_process_continue_long_before_their_leases_end(runs, at, tick, begin):
    _, grant = runs()
    assert at_each_half_second(at, tick, 0.5, 3.5) == [(2.5, LEAD)]
    assert begin().fence == grant.fence + 1


def test_a_process_that_gives_signs_keeps_what_it_holds(runs, at, tick, refused):
    process, _ = runs()
    assert at_each_half_second(at, tick, 0.5, 14, process.renew_once) == []
    assert refused().status == "busy"


def test_a_lease_without_renewal_ends_whatever_its_process_says(runs, at, tick, begin):
    process, _ = runs()
    ((seconds, found),) = at_each_half_second(at, tick, 0.5, 17, process.renew_once)
    assert (found, 15 <= seconds <= 16) == (LEAD, True)
    begin()


def test_a_process_that_says_nothing_in_the_shard_is_not_judged(store, accept, begin, at, tick):
    """One of 0.1.0, whose turns have its name as well."""
    tick()
    accept("a")
    begin("process-1")
    assert at_each_half_second(at, tick, 0.5, 14) == []


def test_only_the_turns_of_the_dead_process_continue(runs, store, chat, at, tick, make_process):
    runs()
    shard = store.keys.of(LEAD)
    others = [Conversation("ava", f"@{number}") for number in range(200)]
    other = next(one for one in others if store.keys.of(one) == shard)
    alive = make_process()
    store.inbox.accept(chat(target=other.target))
    with alive.turn_in(shard):
        store.steps.begin(other, f"{alive.name}-1")
    assert at_each_half_second(at, tick, 0.5, 5, alive.renew_once) == [(2.5, LEAD)]


def test_a_look_tells_when_the_time_of_a_process_ends(runs, store, at, tick):
    runs()
    at_each_half_second(at, tick, 0.5, 1.5)
    at(2)
    found = store.agenda.look()
    assert (found.shards, found.next_seconds) == ((), pytest.approx(0.5, abs=0.3))
    at(2.7)
    assert store.agenda.look().shards == (store.keys.of(LEAD),)


@pytest.mark.parametrize("away_seconds", [2, 20, 3600])
def test_a_store_that_was_away_takes_nobody_for_dead(runs, at, tick, away_seconds, refused):
    """Nobody could give a sign. Whoever lives does so now."""
    process, _ = runs()
    at(1)
    process.renew_once()
    tick()
    at(1 + away_seconds)
    assert tick() == []
    assert refused().status == "busy"
    process.renew_once()
    back = 1 + away_seconds
    if away_seconds < 14:
        assert at_each_half_second(at, tick, back + 0.5, back + 6, process.renew_once) == []


def test_who_was_dead_before_the_store_went_away_has_its_time_once_more(runs, at, tick):
    runs()
    at(1)
    tick()
    at(3.9)
    tick()
    assert at_each_half_second(at, tick, 4, 8) == [(6.5, LEAD)]


def test_outages_that_follow_each_other_cost_no_process_its_leases(runs, at, tick, refused):
    """Between them a worker looks, but there is no time for a sign."""
    process, _ = runs()
    for seconds in (3, 5.8, 8.6, 11.4):
        at(seconds)
        assert tick() == []
    process.renew_once()
    assert refused().status == "busy"
    assert at_each_half_second(at, tick, 11.5, 14, process.renew_once) == []


def test_where_all_who_look_are_always_late_the_lease_of_the_turn_ends_by_itself(runs, at, tick):
    runs()
    rung = []
    for seconds in range(3, 22, 3):
        at(seconds + 0.5)
        rung += [(seconds, one) for one in tick()]
    assert rung[0] == (15, LEAD)


def test_a_clock_that_is_set_back_makes_no_time_longer(runs, at, tick):
    at(3600)
    runs(began_at=3600)
    at(0.4)
    tick()
    assert at_each_half_second(at, tick, 0.5, 5) == [(3, LEAD)]


@pytest.mark.parametrize("back_seconds", [3, 20, 3600])
def test_a_sign_that_is_given_as_soon_as_the_clock_was_set_back_counts(runs, at, tick, refused, back_seconds):
    """It is by the new clock already, and what was stored before has still to be mended."""
    at(back_seconds)
    process, _ = runs(began_at=back_seconds)
    at(0.4)
    process.renew_once()
    assert at_each_half_second(at, tick, 0.5, 5, process.renew_once) == []
    assert refused().status == "busy"


def test_a_process_that_comes_back_learns_what_it_has_lost_before_it_goes_on(runs, store, at, tick, begin):
    process, grant = runs()
    keeper = LeaseKeeper(store.steps.renew, 15.0, 5.0, process=process)
    lease = keeper.keep(grant, time.monotonic())
    assert lease.held()
    assert at_each_half_second(at, tick, 0.5, 3) == [(2.5, LEAD)]
    begin("another-1")
    process.renew_once()
    assert lease.lost
    assert not lease.held()
    keeper.stop()


def test_a_process_that_comes_back_before_others_went_on_keeps_its_turn(runs, store, at, tick, refused):
    process, grant = runs()
    keeper = LeaseKeeper(store.steps.renew, 15.0, 5.0, process=process)
    lease = keeper.keep(grant, time.monotonic())
    assert at_each_half_second(at, tick, 0.5, 3) == [(2.5, LEAD)]
    process.renew_once()
    assert lease.held()
    assert refused().status == "busy"
    keeper.stop()


class Signs:
    """Answers signs: that the process is known, or as ``answers`` says, one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.given = []

    def __call__(self, name, shards):
        self.given.append(list(shards))
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(shards)


@pytest.fixture
def signing():
    """Processes whose signs are answered by the test; their loops end with it."""
    made = []

    def make(signs, ttl_seconds=60.0, renew_seconds=60.0):
        made.append(ProcessLeases(signs, ttl_seconds, renew_seconds))
        return made[-1]

    yield make
    for process in made:
        process.stop()


def test_the_first_turn_of_a_shard_gives_a_sign_and_starts_the_loop(signing, eventually):
    signs = Signs()
    process = signing(signs, renew_seconds=0.01)
    assert not process.lives()
    with process.turn_in(SHARD):
        assert process.lives()
        eventually(lambda: len(signs.given) > 3, "further signs")
    assert signs.given[0] == [SHARD]
    assert {tuple(shards) for shards in signs.given} == {(SHARD,)}


def test_no_turn_begins_without_a_first_sign(signing):
    process = signing(Signs(StoreError("away"), StoreError("away")))
    for _ in range(2):
        with pytest.raises(StoreError), process.turn_in(SHARD):
            raise AssertionError("the turn began")
    with process.turn_in(SHARD):
        assert process.lives()


def test_a_process_lives_only_as_long_as_its_signs_last(signing):
    signs = Signs(True, StoreError("away"))
    process = signing(signs, ttl_seconds=0.0)
    with process.turn_in(SHARD):
        assert not process.lives(), "the store did not answer"
    process.stop()
    assert not process.lives()
    assert len(signs.given) == 2, "one that is stopped says nothing"


def test_a_process_whose_loop_is_late_asks_before_it_gives_up(signing, eventually):
    signs = Signs()
    process = signing(signs, ttl_seconds=0.2)
    with process.turn_in(SHARD):
        time.sleep(0.3)
        assert process.lives()
        assert process.lives()
    assert len(signs.given) == 2


def test_a_sign_counts_from_before_it_was_given(signing):
    process = signing(lambda name, shards: time.sleep(0.3) or [True], ttl_seconds=0.2)
    with process.turn_in(SHARD):
        process.stop()
        assert not process.lives()


def test_who_was_taken_for_dead_does_not_live_until_its_leases_are_checked(signing):
    process, checks = signing(Signs(True, False), ttl_seconds=0.0), []
    answers = [False, True]
    process.checked_by(lambda: checks.append(1) or answers.pop(0))
    with process.turn_in(SHARD):
        assert not process.lives(), "the store did not answer the check"
        assert process.lives()
    assert len(checks) == 2


def test_a_shard_without_turns_gets_no_more_signs(signing, monkeypatch):
    signs = Signs()
    process = signing(signs)
    with process.turn_in(SHARD):
        pass
    with process.turn_in("another"):
        now = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + 11)
        process.renew_once()
    assert signs.given[-1] == ["another"]


def test_no_error_of_one_round_ends_the_loop_and_an_outage_is_told_once(signing, eventually, caplog):
    signs = Signs(True, StoreError("away"), StoreError("away"), RuntimeError("PLANTED"))
    process = signing(signs, renew_seconds=0.01)
    with process.turn_in(SHARD):
        eventually(lambda: len(signs.given) > 5, "further rounds")
    told = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("signs of this process not given: store unreachable") for text in told) == 1
    assert sum("unexpected" in text for text in told) == 1
    assert "PLANTED" not in caplog.text


def test_a_system_without_room_for_a_thread_costs_one_turn(signing, eventually, monkeypatch):
    signs = Signs()
    process = signing(signs, renew_seconds=0.01)

    def no_room(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_room)
        with pytest.raises(RuntimeError), process.turn_in(SHARD):
            raise AssertionError("the turn began")
    with process.turn_in(SHARD):
        eventually(lambda: len(signs.given) > 3, "signs")
