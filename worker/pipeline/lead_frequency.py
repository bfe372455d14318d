"""The cap of messages to one lead over all personas, as a turn keeps it."""

from __future__ import annotations

from dataclasses import replace

from worker.domain.decisions import End, Rules, Wait, withheld
from worker.domain.reply import Reply
from worker.domain.vocabulary import Cause, is_outreach, rules_of
from worker.pipeline import failpoints
from worker.store import Store
from worker.store.conversations.turn_steps import Grant


class Frequency:
    """Reserves a message before the ask, and gives it back when nothing was sent. Methods raise ``redis.RedisError``
    when the store is unreachable."""

    def __init__(self, store: Store) -> None:
        self._frequency = store.frequency
        self._inbox = store.inbox

    def not_now(self, grant: Grant, rules: Rules, waited_seconds: float) -> End | Wait | None:
        """Why the head is not asked now; None = its message is reserved, or no cap holds for it.

        It waits for the first free moment if that comes before it is too old, and if it keeps nothing else waiting. A
        platform event never waits: the lead may write behind it.
        """
        if not self._holds_for(grant):
            return None
        (seconds,) = self._frequency.waits_of([(grant.conversation, grant.head.event_id)])
        failpoints.reached("after reserving")
        if not seconds:
            return None
        kind = rules_of(grant.head.kind)
        in_time = waited_seconds + seconds <= kind.valid_seconds(rules.validity)
        if not kind.speaks_first or not in_time or self._inbox.waiting(grant.conversation) > len(grant.entries):
            return End("skipped", Cause.FREQUENCY_CAP, follow_up="next_step")
        return Wait(seconds, Cause.FREQUENCY_CAP, asked=False)

    def keep(self, grant: Grant) -> None:
        """The message is written and waits for its delivery: its place is kept until then."""
        if self._holds_for(grant):
            self._frequency.waits_of([(grant.conversation, grant.head.event_id)], written=True)

    def withheld(self, grant: Grant, reply: Reply) -> End | None:
        """Why a message that was written earlier is not sent any more; None = it is sent.

        Its place may be another message's by now: it waited for longer than a day, or its worker vanished for an hour.
        It waits no longer, because the lead may write behind it. What may have arrived is counted already, and a
        farewell is for the channel.
        """
        head = grant.head
        in_doubt = head.bubbles_sent or head.send_unknowns or head.sends_vanished
        if not self._holds_for(grant) or in_doubt or reply.fate != "answered":
            return None
        (seconds,) = self._frequency.waits_of([(grant.conversation, head.event_id)], written=True)
        if not seconds:
            return None
        return replace(withheld(head, reply, Cause.FREQUENCY_CAP), follow_up="next_step")

    def not_sent(self, grant: Grant) -> None:
        """Nothing was sent for now: give the reservation back."""
        if self._holds_for(grant):
            self._frequency.ended([(grant.conversation, grant.head.event_id)], sent=False)

    def ended(self, grant: Grant, end: End, *, delivered: bool) -> None:
        """The head has its end. What may have arrived counts as sent."""
        if not self._holds_for(grant):
            return
        head = grant.head
        doubtful = head.send_unknowns or head.sends_vanished or end.cause is Cause.DELIVERY_UNCONFIRMED
        sent = delivered or head.bubbles_sent > 0 or bool(doubtful)
        failpoints.reached("before counting")
        self._frequency.ended([(grant.conversation, head.event_id)], sent=sent)

    def _holds_for(self, grant: Grant) -> bool:
        return self._frequency.is_capped and is_outreach(grant.head.kind)
