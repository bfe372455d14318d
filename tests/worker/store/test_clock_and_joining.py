"""What waits to be joined, while the store's clock is set back."""

from __future__ import annotations

from worker.domain.conversation import Conversation
from worker.store.redis.ahead import KEY

LEAD = Conversation("ava", "@lead")
HOUR = 3_600_000


def test_messages_behind_a_turn_wait_no_longer_to_be_joined_when_the_clock_stepped_back_during_it(make_store, chat):
    """Settle does not look for steps: a message seems to have come an hour from now."""
    store = make_store(ahead=True, join={"settle_seconds": 30, "settle_limit_seconds": 60})
    store.redis.set(KEY, HOUR)
    store.inbox.accept(chat(event_id="e1"))
    store.redis.hset(store.keys.of(LEAD).journal(LEAD, "e1"), "accepted_at", 1)
    grant = store.steps.begin(LEAD, "token")
    store.inbox.accept(chat(event_id="e2"))
    store.redis.set(KEY, 0)
    assert store.steps.settle(grant, "answered", "").left == 1
    due = store.redis.zscore(store.keys.of(LEAD).agenda, LEAD.name) - store.follow_ups.now()
    assert 29_000 < due <= 30_000
