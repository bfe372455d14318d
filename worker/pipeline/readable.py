"""Whether this release can read all that a turn needs, and what the turn does when it cannot."""

from __future__ import annotations

import random

from worker.domain.decisions import End, Wait, without_content
from worker.domain.events import ChannelContext
from worker.domain.reasons import Reason
from worker.domain.reply import Reply
from worker.domain.unreadable import Unreadable
from worker.domain.vocabulary import Cause, rules_of
from worker.store.conversations.turn_steps import Grant


def unreadable(grant: Grant) -> Reason | None:
    """Why this process cannot continue the turn; None = it can."""
    try:
        if rules_of(grant.head.kind).only_told:
            _ = grant.events
        else:
            channel_of(grant)
        if grant.head.reply is not None:
            Reply.of_json(grant.head.reply)
    except Unreadable as error:
        return grant.undecryptable or error.reason
    return grant.undecryptable


def without_reading(grant: Grant, reason: Reason, jitter: random.Random) -> End | Wait:
    """What the turn does instead: it waits for a process that can read its events, unless its end needs no content."""
    head, kind = grant.head, rules_of(grant.head.kind)
    if kind.speaks_first and head.reply is None and grant.lead_wrote and not grant.sealed:
        return End("skipped", Cause.LEAD_WROTE)
    return without_content(reason, grant.sealed and not kind.only_told, jitter)


def channel_of(grant: Grant) -> ChannelContext:
    """The channel context for the reply: the newest of these events, else that of the conversation.

    Raises ``Unreadable``.
    """
    for event in reversed(grant.events):
        if event.channel:
            return event.channel
    # Accepted without a channel of its own, so the conversation had one; accept makes sure of that.
    return ChannelContext.of_json(grant.channel or "")
