"""What a person says to a lead in the persona's place.

It is an event of its own kind that brings its reply along: nothing is asked for it, and the steps of every other
delivery deliver it, with the same lease, journal, retries and books. It goes out before all that waits in its
conversation, in the order in which it was said (``lua/lib/operator.lua``).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from config.sections import Agenda, Limits
from worker.domain.conversation import Conversation
from worker.domain.events import OperatorMessage
from worker.domain.vocabulary import TURNS
from worker.domain.written import reply_in
from worker.store.conversations.consents import Consents
from worker.store.encryption import Content
from worker.store.keys import Keys
from worker.store.queues.doorbells import Doorbells
from worker.store.redis.scripts import Scripts

# So many characters a message of a person has at most.
MOST_CHARACTERS = 10_000

# So many of them may wait beside what the lead and the platform may have waiting: a lead who floods the inbox does not
# keep the person from speaking.
_MOST_WAITING = 100


@dataclass(frozen=True, slots=True)
class Said:
    """What became of it. ``position``: its place in the inbox, 1 = the next; 0 = it has its fate, or was not taken.

    ``duplicate``: it was taken before, under this id. ``not_yours``: the person has not claimed the conversation;
    ``holder`` says who or what has, '' = nobody. ``opted_out``: the lead has, and it was not said ``anyway``.
    ``full``: too much waits. ``no_channel``: it is not known where an answer goes.
    """

    status: Literal["accepted", "duplicate", "unknown", "not_yours", "opted_out", "no_channel", "full", "empty", "long"]
    event_id: str = ""
    position: int = 0
    holder: str = ""


class OperatorMessages:
    """Takes what persons say. Every method may raise ``redis.RedisError``; the same id again is then one message."""

    def __init__(
        self,
        keys: Keys,
        scripts: Scripts,
        doorbells: Doorbells,
        content: Content,
        consents: Consents,
        agenda: Agenda,
        limits: Limits,
    ) -> None:
        self._keys = keys
        self._say = scripts.say
        self._doorbells = doorbells
        self._content = content
        self._consents = consents
        self._grace_ms = agenda.grace_ms
        self._limit = limits.inbox_events + _MOST_WAITING

    def say(self, conversation: Conversation, who: str, text: str, *, anyway: bool = False, event_id: str = "") -> Said:
        """Take one message of ``who``, who must have claimed the conversation.

        ``anyway``: also to a lead who has opted out. ``event_id``: the same one again is the same message; '' = a new
        one. When this returns ``accepted`` the message is in the store and will have exactly one fate.
        Raises ``ValueError`` for an id or a name that cannot be one.
        """
        if not text.strip():
            return Said("empty")
        if len(text) > MOST_CHARACTERS:
            return Said("long")
        if not anyway and self._is_out(conversation):
            return Said("opted_out")
        event = _message(conversation, who, text, event_id or uuid.uuid4().hex)
        if event is None:
            return Said("unknown")
        reply = reply_in(event)
        assert reply is not None  # noqa: S101 - this kind brings one
        keys = self._keys.conversation(conversation)
        status, detail, ring = self._say.run(
            keys,
            journal=keys.journal(event.event_id),
            doorbells=self._doorbells.list_of(TURNS, keys.shard.agenda),
            name=keys.name,
            event_id=event.event_id,
            kind=event.kind,
            by=who,
            payload=self._content.encrypt("payload", conversation, event.model_dump_json(exclude_none=True)),
            reply=self._content.encrypt("reply", conversation, reply.to_json()),
            limit=self._limit,
            grace_ms=self._grace_ms,
            anyway=anyway,
            doorbell=self._doorbells.message(conversation, TURNS),
        )
        if ring:
            self._doorbells.ring([(conversation, TURNS)])
        if status in ("accepted", "duplicate"):
            return Said(status, event.event_id, int(detail))
        return Said(status, holder=detail)

    def _is_out(self, conversation: Conversation) -> bool:
        # What the lead has said to this persona, the script finds out itself.
        mark = self._consents.of_lead(conversation.target) if self._consents.is_shared(conversation.persona) else None
        return mark is not None and mark.state == "out"


def _message(conversation: Conversation, who: str, text: str, event_id: str) -> OperatorMessage | None:
    # None: no conversation can have this name.
    persona, target = conversation
    try:
        return OperatorMessage(event_id=event_id, persona=persona, target=target, by=who, text=text)
    except ValidationError as error:
        # Its text would quote what was said.
        fields = {str(fault["loc"][0]) for fault in error.errors(include_input=False) if fault["loc"]}
        if fields & {"persona", "target"}:
            return None
        raise ValueError(f"this is no message of a person: {', '.join(sorted(fields)) or 'event'}") from None
