"""Erases what is stored of one lead: everything but counters, which hold no names."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from redis import Redis
from redis.exceptions import NoPermissionError

from config.celery import OUTREACH, TURNS
from worker.domain.consent import State
from worker.domain.conversation import Conversation
from worker.store.conversations.consents import Consents
from worker.store.conversations.sessions import Sessions
from worker.store.conversations.transcripts import transcript_key
from worker.store.keys import Keys
from worker.store.notices import Notices
from worker.store.operator.audit import Audit
from worker.store.operator.repeated_acts import RepeatedActs
from worker.store.queues.celery_messages import UnreadableMessage, read
from worker.store.queues.parked import PARKED
from worker.store.queues.queue_lists import EVENTS, SHARED
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

_REASON = "forgotten"
_AT_ONCE = 1000
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Traces:
    """What is stored of a conversation. ``events``: ids of all records of events, those that ended included.

    ``messages``: what names it in the queues, when they are in the store. ``consent``: what the lead has said to this
    persona or for all; ``out`` when either of them is. ``sessions``: of the channel that are known to be this lead's.
    ``transcript``: lines of it. ``in_audit``: an act of an operator names the lead.
    """

    events: tuple[str, ...]
    waiting: int
    dead: int
    timeline: int
    has_state: bool
    sealed: bool
    taken_over: bool
    follow_up: bool
    running: bool
    messages: int
    consent: State | None = None
    sessions: int = 0
    transcript: int = 0
    in_audit: bool = False

    @property
    def nothing(self) -> bool:
        """Nothing is stored of it."""
        kept = self.events or self.timeline or self.has_state or self.messages or self.consent or self.sessions
        return not (kept or self.transcript or self.in_audit)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """``skipped``: events that waited and ended as skipped. ``events``: records of events that were erased."""

    status: Literal["forgotten", "busy"]
    skipped: int
    events: int


class Forgetting:
    """Every method may raise ``redis.RedisError``; then do it again. Costs a walk over all keys of the store, in parts
    between which it serves others: records of events that ended are found by their name only."""

    def __init__(
        self,
        redis: Redis,
        queues: Redis | None,
        keys: Keys,
        scripts: Scripts,
        consents: Consents,
        sessions: Sessions,
        notices: Notices,
        audit: Audit,
        repeated: RepeatedActs,
        channel: str,
    ) -> None:
        self._redis = redis
        self._queues = queues
        self._keys = keys
        self._forget = scripts.forget
        self._erase_lead = scripts.erase_lead
        self._consents = consents
        self._sessions = sessions
        self._notices = notices
        self._audit = audit
        self._repeated = repeated
        self._erased = consents.erased
        self._channel = channel

    def traces(self, conversation: Conversation) -> Traces:
        """What is stored of a conversation, by one walk. Changes nothing."""
        shard, name = self._keys.of(conversation), conversation.name
        events = tuple(self._events(conversation))
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.llen(shard.inbox(conversation))
            pipeline.llen(shard.timeline(conversation))
            pipeline.exists(shard.conversation(conversation))
            pipeline.hexists(shard.sealed, name)
            pipeline.hexists(shard.taken_over, name)
            pipeline.zscore(shard.follow_ups, name)
            pipeline.hget(shard.conversation(conversation), "lease_until")
            pipeline.llen(transcript_key(self._keys, conversation))
            for event_id in events:
                pipeline.zscore(shard.dead, f"{event_id} {name}")
            waiting, timeline, state, sealed, taken_over, follow_up, lease_until, transcript, *dead = pipeline.execute()
        return Traces(
            events=events,
            waiting=waiting,
            dead=sum(score is not None for score in dead),
            timeline=timeline,
            has_state=bool(state),
            sealed=bool(sealed),
            taken_over=bool(taken_over),
            follow_up=follow_up is not None,
            running=int(lease_until or 0) > clock_ms(self._redis),
            messages=sum(1 for _ in self._messages(conversation)),
            consent=self._said(conversation),
            sessions=len(self._sessions.of(conversation)),
            transcript=transcript,
            in_audit=self._audit.names(conversation),
        )

    def is_running(self, conversation: Conversation) -> bool:
        """Whether a turn holds the conversation's lease."""
        key = self._keys.of(conversation).conversation(conversation)
        lease_until: str | None = self._redis.hget(key, "lease_until")  # type: ignore[assignment]
        return int(lease_until or 0) > clock_ms(self._redis)

    @property
    def keeps_consent(self) -> bool:
        """Whether what a lead has said about messages outlives the lead's data: there is a key for the hash."""
        return self._erased.kept

    def forget(
        self, conversation: Conversation, traces: Traces, *, also_consent: bool = False, call: str = ""
    ) -> Forgotten:
        """Erase it; what waits ends as skipped. While a turn runs nothing is changed. ``traces``: as just read.

        What the lead has said about messages is kept under a keyed hash of the name, unless ``also_consent``.
        ``call``: names the act. The same name again answers the same and erases only what the first time left; '' = it
        has none.
        """
        # What is not told yet would be lost with the conversation.
        self._consents.tell(conversation)
        keys, target = self._keys.conversation(conversation), conversation.target
        erased, erased_lead = ("", "") if also_consent else (self._erased.of(keys.name), self._erased.of(target))
        status, skipped, events, is_left = self._forget.run(
            keys, name=keys.name, reason=_REASON, erased_name=erased, call=call, events=traces.events
        )
        if is_left:
            self._erase_lead.run(self._keys.lead(target), target=target, erased=erased_lead)
            self._forget_elsewhere(conversation)
            self._repeated.finish("forget", call, conversation)
        return Forgotten(status, skipped, events)

    def _said(self, conversation: Conversation) -> State | None:
        own = self._consents.of(conversation)
        kept = self._redis.hget(self._keys.lead(conversation.target).consents_of_leads, conversation.target)
        lead: State | None = None if kept is None else "out" if str(kept).startswith("out") else "in"
        return "out" if "out" in (own and own.state, lead) else (own.state if own else lead)

    def _forget_elsewhere(self, conversation: Conversation) -> None:
        self._sessions.forget(conversation)
        self._notices.erase(conversation)
        self._audit.erase(conversation)
        home, name = self._keys.persona(conversation.persona), conversation.name
        for openers in (home.moments, home.gone):
            self._remove(openers, lambda opener: opener.partition(" ")[2] == name)
        for told in self._keys.lead_keys(conversation.target):
            self._remove(told, lambda message: message.partition(" ")[2] == name)
        self._remove(home.paced, lambda touch: _touched(touch) == name)
        self._forget_waiting(conversation)
        stopped_by: str | None = self._redis.hget(home.ramp, "stopped_by")  # type: ignore[assignment]
        if (stopped_by or "").partition(" ")[2] == name:
            self._redis.hdel(home.ramp, "stopped_by")
        # What is counted stays counted, but no longer says of whom. A count that comes late knows it (outcome.lua).
        outcomes: list[str] = self._redis.lrange(home.outcomes, 0, -1)  # type: ignore[assignment]
        for line in outcomes:
            word, _, opener = line.partition(" ")
            if opener.partition(" ")[2] == name:
                with self._redis.pipeline() as pipeline:
                    pipeline.linsert(home.outcomes, "before", line, f"{word} {_REASON} {_digest(opener)}")
                    pipeline.lrem(home.outcomes, 1, line)
                    pipeline.execute()
        today = clock_ms(self._redis) // _DAY_MS
        for day in range(today - 2, today + 1):
            for sent in (home.follow_ups_sent(day), self._keys.shards[0].follow_ups_sent_in_all(day)):
                for touch in [each for each in self._redis.sscan_iter(sent, count=_AT_ONCE) if _touched(each) == name]:
                    self._redis.sadd(sent, f"{_REASON} {uuid.uuid4().hex}")
                    self._redis.srem(sent, touch)
        for redis, queue, message in list(self._messages(conversation)):
            redis.lrem(queue, 0, message)

    def _forget_waiting(self, conversation: Conversation) -> None:
        shard, (persona, _) = self._keys.of(conversation), conversation
        home = self._keys.persona(persona)
        waiting = [shard.waiting(gate, persona) for gate in ("circuit", "credits")]
        for index in (home.reserved, home.line, *waiting, shard.waiting("channel", self._channel)):
            self._redis.zrem(index, conversation.name)
        self._redis.zrem(home.running, f"for {conversation.name}")

    def _remove(self, key: str, is_of_it: Callable[[str], bool]) -> None:
        members = [str(member) for member, _ in self._redis.zscan_iter(key, count=_AT_ONCE) if is_of_it(str(member))]
        if members:
            self._redis.zrem(key, *members)

    def _events(self, conversation: Conversation) -> Iterator[str]:
        shard = self._keys.of(conversation)
        end = f" {conversation.name}"
        pattern = f"{_literally(shard.journal_prefix)}*{_literally(end)}"
        seen = set()
        for key in self._redis.scan_iter(match=pattern, count=_AT_ONCE):
            event_id = str(key).removeprefix(shard.journal_prefix).removesuffix(end)
            # An id has no space: one with a space is of another conversation, whose handle ends like this one's name.
            if " " not in event_id and event_id not in seen:
                seen.add(event_id)
                yield event_id

    def _messages(self, conversation: Conversation) -> Iterator[tuple[Redis, str, str]]:
        places = [(self._queues, queue) for queue in (TURNS, OUTREACH, *EVENTS, *SHARED)] + [(self._redis, PARKED)]
        for redis, queue in places:
            if redis is None:
                continue
            try:
                messages: list[str] = redis.lrange(queue, 0, -1)  # type: ignore[assignment]
            except NoPermissionError:
                if queue not in SHARED:
                    raise
                # The user of an older release: nothing of ours reads there either.
                continue
            yield from ((redis, queue, message) for message in messages if _names(message, conversation))


def _touched(touch: str) -> str:
    # "<conversation> <plan>"
    return touch.rpartition(" ")[0]


def _literally(text: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]^-\\" else character for character in text)


def _names(message: str, conversation: Conversation) -> bool:
    """Whether a Celery message is a doorbell of this conversation, or an event for it."""
    try:
        sent = read(message)
    except UnreadableMessage:
        return False
    if sent.arguments == tuple(conversation):
        return True
    event = next(iter((*sent.arguments, *sent.keywords.values())), None)
    return isinstance(event, dict) and (event.get("persona"), event.get("target")) == tuple(conversation)


def _digest(opener: str) -> str:
    return hashlib.sha1(opener.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
