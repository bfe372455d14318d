"""The loop that keeps the leases of a process, and what a turn knows of its lease."""

from __future__ import annotations

import threading
import time

import pytest

from worker.domain.conversation import Conversation
from worker.store import StoreError
from worker.store.conversations.leases import LeaseKeeper


@pytest.fixture
def grant(store, accept, begin):
    """A turn that has begun."""
    accept("a")
    return begin("turn 1")


@pytest.fixture
def keep():
    """A keeper whose renewals are answered by the test; its loop ends with the test."""
    keepers = []

    def make(renew, ttl_seconds=60.0, renew_seconds=0.01):
        keepers.append(LeaseKeeper(renew, ttl_seconds, renew_seconds))
        return keepers[-1]

    yield make
    for keeper in keepers:
        keeper.stop()


class Renewals:
    """Answers renewals: with nothing lost, or as ``answers`` says, one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def __call__(self, grants):
        self.calls.append([grant.token for grant in grants])
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_first_lease_starts_the_loop_and_a_released_one_is_renewed_no_longer(grant, keep, eventually):
    renewals = Renewals()
    keeper = keep(renewals)
    with keeper.keep(grant, time.monotonic()):
        eventually(lambda: len(renewals.calls) > 2, "renewals")
    time.sleep(0.05)
    before = len(renewals.calls)
    time.sleep(0.1)
    assert len(renewals.calls) == before
    assert all(call == ["turn 1"] for call in renewals.calls)


def test_a_lease_is_held_as_long_as_it_is_renewed_and_no_longer(grant, keep):
    keeper = keep(Renewals(), ttl_seconds=10, renew_seconds=60)
    lease = keeper.keep(grant, time.monotonic() - 11)
    assert not lease.held(), "nothing renewed it"
    keeper.renew_once()
    assert lease.held()


def test_a_renewal_counts_from_before_it_was_asked_for(grant, keep):
    """The store may have carried it out at any moment since: an answer that was long on its way proves little."""
    keeper = keep(lambda grants: time.sleep(0.4) or [], ttl_seconds=0.3, renew_seconds=60)
    lease = keeper.keep(grant, time.monotonic() - 1)
    keeper.renew_once()
    assert not lease.held()


def test_a_lease_counts_from_before_it_was_asked_for(grant, keep):
    keeper = keep(Renewals(), ttl_seconds=10, renew_seconds=60)
    assert keeper.keep(grant, time.monotonic() - 9).held()
    assert not keeper.keep(grant, time.monotonic() - 11).held()


def test_a_step_that_renewed_the_lease_never_shortens_it(grant, keep):
    lease = keep(Renewals(), ttl_seconds=10, renew_seconds=60).keep(grant, time.monotonic())
    lease.renewed(time.monotonic() - 100)
    assert lease.held()


def test_a_renewal_that_was_refused_is_a_lost_lease(grant, keep):
    keeper = keep(Renewals([grant]), renew_seconds=60)
    lease = keeper.keep(grant, time.monotonic())
    keeper.renew_once()
    assert not lease.held()
    keeper.renew_once()
    assert not lease.held(), "what is lost stays lost"


def test_only_the_lease_that_was_lost_is_lost(store, chat, grant, keep):
    store.inbox.accept(chat(target="@other"))
    other = store.steps.begin(Conversation("ava", "@other"), "turn 2")
    keeper = keep(Renewals([grant]), renew_seconds=60)
    lost, kept = (keeper.keep(one, time.monotonic()) for one in (grant, other))
    keeper.renew_once()
    assert (lost.held(), kept.held()) == (False, True)


def test_who_lets_go_renews_nothing_any_more_and_every_turn_knows(grant, keep, eventually):
    renewals = Renewals()
    keeper = keep(renewals)
    lease = keeper.keep(grant, time.monotonic())
    eventually(lambda: renewals.calls, "a renewal")
    assert keeper.let_go() == [lease]
    assert not lease.held()
    time.sleep(0.05)
    before = len(renewals.calls)
    time.sleep(0.1)
    assert len(renewals.calls) == before


@pytest.mark.parametrize(
    "error", [StoreError("away"), KeyError("PLANTED"), RuntimeError("PLANTED"), OSError("PLANTED")]
)
def test_no_error_of_one_round_ends_the_loop(grant, keep, eventually, caplog, error):
    renewals = Renewals(error, error)
    lease = keep(renewals).keep(grant, time.monotonic())
    eventually(lambda: len(renewals.calls) > 3, "further rounds")
    assert lease.held()
    if not isinstance(error, StoreError):
        said = [record.getMessage() for record in caplog.records if "unexpected" in record.getMessage()]
        assert len(said) == 1
        assert f"in the lease renewal: {type(error).__name__}" in said[0]
    assert "PLANTED" not in caplog.text


def test_a_system_without_room_for_a_thread_costs_one_turn_its_renewal_and_no_other(
    grant, keep, eventually, monkeypatch
):
    renewals = Renewals()
    keeper = keep(renewals)

    def no_room(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_room)
        with pytest.raises(RuntimeError):
            keeper.keep(grant, time.monotonic())
    keeper.renew_once()
    assert renewals.calls == [], "a turn that did not begin keeps no lease"
    keeper.keep(grant, time.monotonic())
    eventually(lambda: renewals.calls, "renewals")


def test_a_renewed_lease_moves_its_end_and_the_agenda_with_it(
    store, grant, conversation, let_lease_run_out, refused, due
):
    let_lease_run_out()
    store.redis.zadd(store.keys.of(conversation).agenda, {conversation.name: 1})
    assert store.steps.renew([grant]) == []
    assert refused().status == "busy"
    assert due() == refused().until
    assert refused().until > grant.now


def test_after_a_round_without_an_answer_the_next_one_comes_soon(grant, keep, eventually, caplog):
    """A short outage must not cost a lease because the next round is far away. It is logged once."""
    rounds = []

    def away(grants):
        rounds.append(time.monotonic())
        raise StoreError("away")

    keep(away, renew_seconds=1.0).keep(grant, time.monotonic())
    eventually(lambda: len(rounds) > 3, "four rounds")
    assert rounds[3] - rounds[0] < 2.5
    assert len([record for record in caplog.records if "leases not renewed" in record.getMessage()]) == 1


def test_a_lost_lease_is_told_unless_its_turn_is_giving_it_back(grant, keep, caplog):
    """The store does not know the lease any more while the answer to the last step is under way."""
    keeper = keep(lambda grants: grants, renew_seconds=60.0)
    with keeper.keep(grant, time.monotonic()) as lease:
        lease.ends = True
        assert keeper.check()
        assert "leases lost" not in caplog.text
        lease.ends = False
        assert keeper.check()
        assert "leases lost: 1" in caplog.text


def test_places_that_cannot_be_renewed_are_told_and_tried_again(grant, eventually, caplog):
    left = [StoreError("away")]

    def beside(leases):
        if left:
            raise left.pop()
        done.append(leases)

    done = []
    keeper = LeaseKeeper(lambda grants: [], 60.0, 0.01, beside)
    with keeper.keep(grant, time.monotonic()):
        eventually(lambda: done, "the next round")
    keeper.stop()
    assert "places not renewed: store unreachable (RedisError)" in caplog.text
