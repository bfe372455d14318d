"""How often one lead hears from all personas together: reserved before the persona is asked, in the lead's shard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from config.outreach_rules import Frequency
from worker.domain.conversation import Conversation
from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts

# A reservation of a worker that vanished ends after so long. Another turn of the same event renews it.
_RESERVED_MS = 3_600_000
# What is written ends with its delivery, however long the channel is away or a person has the conversation.
_WRITTEN_MS = 7 * 86_400_000

# A conversation and the id of one of its events.
NamedEvent = tuple[Conversation, str]


class _Names(TypedDict):
    told: str
    reserved: str
    message: str


class LeadFrequency:
    """The cap for each lead. Without one no method makes a call. Methods raise ``redis.RedisError``."""

    def __init__(self, keys: Keys, scripts: Scripts, cap: Frequency) -> None:
        self._keys = keys
        self._reserve = scripts.reserve
        self._tell = scripts.tell
        self._per_day = cap.per_lead_per_day or 0
        self._per_week = cap.per_lead_per_week or 0
        self.is_capped = bool(self._per_day or self._per_week)

    def waits_of(self, events: Sequence[NamedEvent], *, written: bool = False) -> list[float]:
        """Reserve one message for each event. Seconds until its first free moment; 0 = it is reserved.

        ``written``: the persona has written the messages, and they wait for their delivery.
        """
        if not self.is_capped or not events:
            return [0.0] * len(events)
        calls = [
            self._reserve.call(
                **self._names(event),
                per_day=self._per_day,
                per_week=self._per_week,
                reserved_ms=_WRITTEN_MS if written else _RESERVED_MS,
            )
            for event in events
        ]
        return [wait / 1000 for wait in self._reserve.many(calls)]

    def ended(self, events: Sequence[NamedEvent], *, sent: bool) -> None:
        """Count their messages as sent, or give their reservations back. Call it before the end is stored."""
        if self.is_capped and events:
            self._tell.many([self._tell.call(**self._names(event), sent=sent) for event in events])

    def _names(self, event: NamedEvent) -> _Names:
        conversation, event_id = event
        keys = self._keys.lead_keys(conversation.target)
        return {"told": keys.told, "reserved": keys.reserved, "message": f"{event_id} {conversation.name}"}
