"""What applies only to openers: the persona's ramp before the call, and after the end whether its outreach stops."""

from __future__ import annotations

import logging

from worker.domain.decisions import End, Wait, verdict_on_opener
from worker.domain.reasons import read
from worker.domain.vocabulary import Cause
from worker.store import Store
from worker.store.conversations.turn_steps import Grant

_log = logging.getLogger("parley.outreach")


class Openers:
    """The rules for openers. Methods raise ``redis.RedisError`` when the store is unreachable."""

    def __init__(self, store: Store) -> None:
        self._outreach = store.outreach
        self._inbox = store.inbox

    def not_now(self, grant: Grant, valid_seconds: float) -> End | Wait | None:
        """How long the head has to wait for the moment that its ramp gives it, or that it ends because it would keep
        another event waiting; None = it may be asked now.

        ``valid_seconds``: how much longer it may wait before it is too old.
        """
        head = grant.head
        if head.kind != "ai_opener":
            return None
        seconds = self._outreach.wait_of(grant.conversation, head.event_id, valid_seconds)
        if not seconds:
            return None
        if self._inbox.waiting(grant.conversation) > len(grant.entries):
            return End("skipped", Cause.RAMP_GAVE_WAY)
        return Wait(seconds, Cause.RAMP, asked=False)

    def ended(self, grant: Grant, end: End) -> None:
        """Count how the head ended, if it is an opener that was answered or refused. Call it before the end is stored:
        a repeated end counts once, but an end that was stored before it was counted is never counted."""
        verdict = verdict_on_opener(grant.head.kind, end)
        if verdict is None:
            return
        persona = grant.conversation.persona
        head = grant.head
        failed_at = head.failed.at if head.failed else 0
        begun_at = min(at for at in (grant.now, failed_at, head.replied_at) if at)
        count = self._outreach.count(grant.conversation, head.event_id, verdict, begun_at)
        if count.closed_now:
            closed = read(count.closed)
            _log.error(
                "outreach stopped: too many openers ended badly. Openers and follow-ups wait, leads are answered. When "
                "the cause is removed: parley resume %s --gate outreach",
                persona,
                extra={"persona": persona, "cause": Cause.OPENERS_BAD.value, "detail": closed.detail if closed else ""},
            )
