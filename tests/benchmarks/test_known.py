"""Copies of a conversation are conversations of their own, as large as the first."""

from __future__ import annotations

import pytest

from benchmarks.known import copy, known_lead, memory_by_kind
from benchmarks.leads import message
from worker.domain.cadence import Planned, Touch


def finished(store):
    """Lead 0, after one whole turn, with a follow-up planned."""
    lead = known_lead(0)
    store.inbox.accept(message(lead.target))
    grant = store.steps.begin(lead, "token")
    store.steps.record(grant, "reply")
    planned = Planned(0, grant.now, Touch(grant.now + 86_400_000, "step 1 of 1"))
    store.steps.settle(grant, "answered", mark="started", follow_up=planned)


def test_each_copy_stands_in_its_own_shard_with_names_of_its_own(store):
    finished(store)
    copy(store, 40)
    assert len(store.follow_ups.upcoming(100)) == 41
    assert len(store.redis.keys("parley:*:journal:*")) == 41
    ids = {store.timeline.of(known_lead(number))[0].details[1] for number in range(41)}
    assert len(ids) == 41
    lead = known_lead(7)
    state = store.redis.hgetall(store.keys.of(lead).conversation(lead))
    assert lead.target in state["channel"]
    # An allocator rounds up, and what grew step by step keeps more room than what was written at once.
    assert memory_by_kind(store, lead) == pytest.approx(dict(memory_by_kind(store, known_lead(0))), rel=0.25)
    assert all(store.redis.pttl(key) > 0 for key in store.redis.keys("parley:*@known*"))


def test_a_copy_goes_on_like_any_conversation(store):
    finished(store)
    copy(store, 1)
    lead = known_lead(1)
    store.inbox.accept(message(lead.target))
    grant = store.steps.begin(lead, "another")
    assert (grant.started, grant.fence) == (True, 2)
    assert store.steps.settle(grant, "answered").status == "settled"
