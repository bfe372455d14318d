"""The name of a delivery for the channel: the same as long as the same message is sent again."""

from __future__ import annotations

import hashlib

from worker.domain.reply import Reply
from worker.store.conversations.journal import Entry
from worker.store.conversations.turn_steps import Grant


def idempotency_key(grant: Grant, head: Entry, reply: Reply) -> str:
    """32 hexadecimal digits for the next message of a reply."""
    # An event's id can come again, with another reply: after a farewell, after `forget`, after the dedupe window.
    name = f"{grant.conversation.name} {head.event_id}"
    if head.reply_id:
        name = f"{name} {head.reply_id}"
    if reply.pauses:
        name = f"bubble {head.bubbles_sent + 1} {name}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]
