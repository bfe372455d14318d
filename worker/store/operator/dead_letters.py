"""Events that ended without an answer and wait for a person: list them, open one, give it back, discard it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Literal

from redis import Redis

from config.sections import Agenda, Retention
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.domain.vocabulary import TURNS
from worker.store.encryption import Content, Field, Undecryptable
from worker.store.keys import Keys
from worker.store.queues.doorbells import Doorbells
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

Mode = Literal["place", "append", "join", "discard"]
Status = Literal[
    "replayed",
    "discarded",
    "readmitted",
    "unknown",
    "not_dead",
    "refused",
    "covered",
    "with_head",
    "later_answered",
    "later_asked",
    "nothing_to_join",
    "cannot_join",
    "no_channel",
]

About = Callable[[str], bool]

_AT_ONCE = 500
_CONTENT: tuple[Field, ...] = ("payload", "reply", "detail")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead event without its content. ``died_at``: store's clock. ``cause``: why, as the store keeps it
    (``worker.domain.reasons``).

    ``rank``: its place among the ended events of its conversation; 0 for one that was refused at the door.
    """

    conversation: Conversation
    event_id: str
    kind: str
    died_at: datetime
    cause: str
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Deaths:
    """Dead letters of one persona with the same cause, as the store keeps it; ``first`` and ``last`` of them died."""

    persona: str
    cause: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class OpenedLetter:
    """All that is kept of a dead event. The last three fields are content: never for logs or an uninvited eye.

    ``accepted_at``: when it was first accepted. ``discarded_at``: when a person took it off the list. ``asked_with``:
    the head of the group that it was asked in. ``bubbles_sent``: of a paced reply, how many the lead surely has.
    ``whole_bytes``: of a refused event of which only the first part is kept, how many bytes it had; else 0.
    ``detail``: what the server said. ``undecryptable``: why this process cannot read them ('' = it can); they are empty
    then, but for that a reply is there.
    """

    letter: DeadLetter
    accepted_at: datetime
    discarded_at: datetime | None
    asks: int
    ask_unknowns: int
    asks_vanished: int
    sends: int
    send_unknowns: int
    sends_vanished: int
    bubbles_sent: int
    asked_with: str | None
    payload: str = field(repr=False)
    reply: str | None = field(repr=False)
    detail: str | None = field(repr=False)
    undecryptable: str = ""
    whole_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to. The statuses and their ``detail`` stand in ``lua/replay.lua``."""

    status: Status
    detail: str


class DeadLetters:
    """Settle and refuse write dead letters; here they are read, replayed and discarded.

    Every method may raise ``redis.RedisError``.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        doorbells: Doorbells,
        content: Content,
        retention: Retention,
        agenda: Agenda,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._content = content
        self._replay = scripts.replay
        self._doorbells = doorbells
        self._retention_ms = retention.dead_ms
        self._grace_ms = agenda.grace_ms

    def newest(self, limit: int = 100, persona: str | None = None, about: About | None = None) -> list[DeadLetter]:
        """At most ``limit`` dead letters, newest first.

        ``persona``: only of this one. ``about``: only those whose cause it accepts.
        """
        found = sorted(self._members(persona), reverse=True)
        return list(islice(_about(about, self._read(found)), limit))

    def in_order(self, persona: str | None = None, about: About | None = None) -> list[DeadLetter]:
        """All that match, in the order in which they died: to be replayed in this order."""
        found = list(_about(about, self._read(sorted(self._members(persona)))))
        return sorted(found, key=lambda letter: (letter.died_at, letter.rank))

    def by_cause(self, persona: str | None = None, most: int | None = None) -> list[Deaths]:
        """All by what they died of, most of one cause first.

        ``persona``: only of this one. ``most``: look at so many of each shard at most, the newest.
        """
        found: dict[tuple[str, str], Deaths] = {}
        for letter in self._read(list(self._members(persona, most))):
            owner, at = letter.conversation.persona, letter.died_at
            known = found.get((owner, letter.cause)) or Deaths(owner, letter.cause, 0, at, at)
            first, last = min(known.first, at), max(known.last, at)
            found[owner, letter.cause] = Deaths(owner, letter.cause, known.count + 1, first, last)
        return sorted(found.values(), key=lambda each: (-each.count, each.persona, each.cause))

    def count(self) -> int:
        """How many there are."""
        return sum(int(self._redis.zcard(shard.dead)) for shard in self._keys.shards)

    def open(self, conversation: Conversation, event_id: str) -> OpenedLetter | None:
        """One dead event with its content; None when there is none, or when it is not dead."""
        key = self._keys.of(conversation).journal(conversation, event_id)
        fields: dict[str, str] = self._redis.hgetall(key)  # type: ignore[assignment]
        if fields.get("fate") != "dead":
            return None
        found = [name for name in _CONTENT if name in fields]
        undecryptable = ""
        try:
            fields.update({name: self._content.decrypt(name, conversation, fields[name]) for name in found})
        except Undecryptable as reason:
            fields.update(dict.fromkeys(found, ""))
            undecryptable = str(reason)
        return replace(_opened(conversation, event_id, fields), undecryptable=undecryptable)

    def note_reader(self, conversation: Conversation, event_id: str, reader: str) -> None:
        """Write into the conversation's timeline that ``reader`` has seen the content of this event."""
        line = json.dumps([clock_ms(self._redis), "content shown", event_id, reader])
        self._redis.rpushx(self._keys.of(conversation).timeline(conversation), line)

    def replay(self, conversation: Conversation, event_id: str, mode: Mode, call: str = "") -> Replayed:
        """Give a dead event back to its conversation in one step, or say why not.

        ``place``: where it stood by acceptance. ``append``: at the end. ``join``: in front of the messages that are
        asked next, together with them. ``discard``: it stays dead and leaves the list.
        A stored reply is kept and delivered; else the event has a fresh budget of attempts. ``call``: the same name
        again answers the same and changes nothing; '' = a new one.
        """
        return self._run(conversation, event_id, mode, call)

    def readmitted(self, conversation: Conversation, event_id: str, accepted_as: str, call: str = "") -> Replayed:
        """Close the letter of a refused event that the door has now accepted under the id ``accepted_as``.
        ``call``: see ``replay``."""
        return self._run(conversation, event_id, "readmitted", call, accepted_as)

    def is_done(self, conversation: Conversation, event_id: str, call: str) -> bool:
        """Whether the call of this name has replayed or discarded the event before; not when it has no name ('')."""
        key = self._keys.of(conversation).journal(conversation, event_id)
        return bool(call) and self._redis.hget(key, "replayed_by") == call

    def trim(self) -> int:
        """Forget those whose record has expired. Returns how many."""
        oldest_kept = clock_ms(self._redis) - self._retention_ms
        return sum(int(self._redis.zremrangebyscore(shard.dead, "-inf", oldest_kept)) for shard in self._keys.shards)

    def _run(self, conversation: Conversation, event_id: str, mode: str, call: str, accepted_as: str = "") -> Replayed:
        keys = self._keys.conversation(conversation)
        status, detail, ring = self._replay.run(
            keys,
            journal=keys.journal(event_id),
            doorbells=self._doorbells.list_of(TURNS, keys.shard.agenda),
            name=keys.name,
            event_id=event_id,
            mode=mode,
            call=call or uuid.uuid4().hex,
            grace_ms=self._grace_ms,
            doorbell=self._doorbells.message(conversation, TURNS),
            accepted_as=accepted_as,
        )
        if ring:
            self._doorbells.ring([(conversation, TURNS)])
        return Replayed(status, str(detail))

    def _members(self, persona: str | None, most: int | None = None) -> Iterator[tuple[float, str]]:
        last = -1 if most is None else most - 1
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zrevrange(shard.dead, 0, last, withscores=True)
            found: list[list[tuple[str, float]]] = pipeline.execute()
        for rows in found:
            for member, died_at in rows:
                if persona is None or _parts(member)[1].persona == persona:
                    yield died_at, member

    def _read(self, members: list[tuple[float, str]]) -> Iterator[DeadLetter]:
        for start in range(0, len(members), _AT_ONCE):
            chunk = members[start : start + _AT_ONCE]
            with self._redis.pipeline(transaction=False) as pipeline:
                for _, member in chunk:
                    event_id, conversation = _parts(member)
                    key = self._keys.of(conversation).journal(conversation, event_id)
                    pipeline.hmget(key, "kind", "reason", "rank")
                answers = pipeline.execute()
            for (died_at, member), (kind, cause, rank) in zip(chunk, answers, strict=True):
                event_id, conversation = _parts(member)
                at = as_datetime(died_at)
                yield DeadLetter(conversation, event_id, kind or "unknown", at, cause or "unknown", int(rank or 0))


def _parts(member: str) -> tuple[str, Conversation]:
    event_id, _, name = member.partition(" ")
    return event_id, Conversation.of_name(name)


def _about(about: About | None, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
    return (letter for letter in letters if about is None or about(letter.cause))


def _opened(conversation: Conversation, event_id: str, fields: dict[str, str]) -> OpenedLetter:
    def number(name: str) -> int:
        return int(fields.get(name, "0"))

    def moment(name: str) -> datetime:
        return as_datetime(number(name))

    letter = DeadLetter(
        conversation,
        event_id,
        fields["kind"],
        moment("settled_at"),
        fields.get("reason") or "unknown",
        number("rank"),
    )
    return OpenedLetter(
        letter=letter,
        accepted_at=moment("first_accepted_at" if "first_accepted_at" in fields else "accepted_at"),
        discarded_at=moment("discarded_at") if "discarded_at" in fields else None,
        asks=number("asks"),
        ask_unknowns=number("ask_unknowns"),
        asks_vanished=number("asks_vanished"),
        sends=number("sends"),
        send_unknowns=number("send_unknowns"),
        sends_vanished=number("sends_vanished"),
        bubbles_sent=number("bubbles_sent"),
        asked_with=fields.get("asked_with"),
        payload=fields["payload"],
        reply=fields.get("reply"),
        detail=fields.get("detail"),
        whole_bytes=number("whole_bytes"),
    )
