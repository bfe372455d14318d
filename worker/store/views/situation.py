"""Where one conversation stands at this moment, read without touching anything."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import OUTREACH, rules_of
from worker.store.conversations.journal import lead_wrote_since
from worker.store.keys import Keys
from worker.store.redis.connection import clock_ms


@dataclass(frozen=True, slots=True)
class Situation:
    """All times are milliseconds of the store's clock; 0 = none.

    ``known``: anything at all is stored of the conversation. ``waiting``: events in the inbox, ``head`` the first one:
    its ``step``, ``kind``, ``joining``, attempts so far, whether its reply is stored, how many bubbles of a
    paced one are sent. ``due``: when the agenda looks at it next, after so many ``rings`` that nobody answered.
    ``gates``: the raw fields of the persona and of the channel. ``taken_over``: why a person has the conversation, '' =
    nobody has. ``sealed_by``: the operator who sealed it, '' = the persona did. ``ready``: an opener or a follow-up
    that a beat rings for when its turn has come. ``lead_wrote``: after the head was accepted. ``last_said``: when a
    person last said something in the persona's place.
    """

    conversation: Conversation
    now: int
    known: bool
    waiting: int
    due: int
    rings: int
    leased: bool
    lease_until: int
    hold_until: int
    hold_reason: str
    sealed_at: int
    sealed_by: str
    taken_over: str
    taken_over_at: int
    last_inbound: int
    started: bool
    head: str
    step: str
    kind: str
    joining: str
    accepted_at: int
    asks: int
    sends: int
    replied: bool
    bubbles_sent: int
    gates: dict[str, str]
    ready: bool
    lead_wrote: bool = False
    last_said: int = 0

    @property
    def outreach(self) -> bool:
        """Whether the persona is to speak first: no lead waits behind an opener or a follow-up."""
        return rules_of(self.kind).lane == OUTREACH and not self.lead_wrote


def situation(redis: Redis, keys: Keys, conversation: Conversation, channel: str) -> Situation:
    """Read it. ``channel``: the name of its environment.

    Not one moment, so a turn that ends in between may show half. Raises ``StoreError``.
    """
    shard, name = keys.of(conversation), conversation.name
    now = clock_ms(redis)
    # No transaction: a store that is full refuses to queue what only reads.
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(shard.conversation(conversation))
        pipeline.llen(shard.inbox(conversation))
        pipeline.lindex(shard.inbox(conversation), 0)
        pipeline.zscore(shard.agenda, name)
        pipeline.hgetall(shard.persona(conversation.persona))
        pipeline.exists(shard.timeline(conversation))
        pipeline.zscore(shard.ready, name)
        pipeline.zscore(shard.queue(conversation.persona), name)
        pipeline.hgetall(shard.channel(channel))
        state, waiting, head, due, gates, has_timeline, ready, queued, closed = pipeline.execute()
    entry: dict[str, str] = redis.hgetall(shard.journal(conversation, head)) if head else {}  # type: ignore[assignment]

    def number(fields: dict[str, str], field: str) -> int:
        return int(fields.get(field, "0"))

    return Situation(
        conversation=conversation,
        now=now,
        known=bool(state or has_timeline),
        waiting=waiting,
        due=int(due or 0),
        rings=number(state, "rings"),
        leased="owner" in state,
        lease_until=number(state, "lease_until"),
        hold_until=number(state, "hold_until"),
        hold_reason=state.get("hold_reason", ""),
        sealed_at=number(state, "sealed"),
        sealed_by=state.get("sealed_by", ""),
        taken_over=state.get("taken_over", ""),
        taken_over_at=number(state, "taken_over_at"),
        last_inbound=number(state, "last_inbound"),
        last_said=number(state, "last_said"),
        started="started" in state,
        head=head or "",
        step=entry.get("step", ""),
        kind=entry.get("kind", ""),
        joining=entry.get("joining", ""),
        accepted_at=number(entry, "accepted_at"),
        asks=number(entry, "asks"),
        sends=number(entry, "sends"),
        replied="reply" in entry,
        bubbles_sent=number(entry, "bubbles_sent"),
        gates={**gates, **closed},
        ready=ready is not None or queued is not None,
        lead_wrote=lead_wrote_since(entry, state),
    )
