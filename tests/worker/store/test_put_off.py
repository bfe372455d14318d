"""The store's clock is set back while a follow-up is put off: the next look at it moves along, its plan does not."""

from __future__ import annotations

from worker.domain.cadence import Planned, Touch
from worker.store.redis.ahead import KEY

HOUR = 3_600_000


def test_a_touch_that_was_put_off_is_looked_at_again_in_its_time(make_store, chat, conversation):
    """A cap, say, put it off: the step moves that moment, and not the one that it was meant for."""
    store = make_store(ahead=True)
    store.redis.set(KEY, HOUR)
    store.inbox.accept(chat())
    at = store.follow_ups.now()
    # The silence began long ago, so nothing of the plan lies in the future but the next look.
    plan = Planned(0, at - 2 * HOUR, Touch(at - HOUR - 1000, "step 1"))
    store.steps.settle(store.steps.begin(conversation, "t"), "answered", follow_up=plan)
    follow_ups = store.keys.of(conversation).follow_ups
    store.redis.zadd(follow_ups, {conversation.name: at + 60_000})
    store.redis.set(KEY, 0)
    store.agenda.claim_due()
    assert 0 < store.redis.zscore(follow_ups, conversation.name) - store.follow_ups.now() <= 60_000
    assert store.follow_ups.state_of(conversation).quiet_from == at - 2 * HOUR
