"""What leads have said about messages that they did not ask for: written, listed, told to the other personas.

In the scope ``persona`` a mark is in the shard of its conversation, so that ``accept``, ``begin``, ``asking`` and
``record`` write and read it in the step that they are. In the scope ``lead`` there is a second mark in the lead's own
shard. ``accept`` leaves an errand in the same step, and the process that accepted the event writes the second mark
before the receipt returns. If that process crashes, a beat does it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from pydantic import SecretStr
from redis import Redis

from config.consent import Consent
from config.sections import Retention
from worker.domain.consent import State
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts

ALL_PERSONAS = "*"  # stands for the persona of a mark that a lead has for all of them

ERRAND = "consent lead"

Written = Literal["done", "nothing"]

# 128 bits of a keyed hash.
_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Mark:
    """What a lead has said last. ``persona``: to which, or ``ALL_PERSONAS``. ``by``: ``lead``, or who else and why."""

    persona: str
    target: str
    state: State
    since: datetime
    by: str


class ErasedNames:
    """The names of leads as keyed hashes, by which an erased lead stays opted out."""

    def __init__(self, key: SecretStr | None) -> None:
        self._key = key.get_secret_value().encode() if key else b""

    @property
    def kept(self) -> bool:
        """Whether there is a key."""
        return bool(self._key)

    def of(self, name: str) -> str:
        """The hash of a conversation's name, or of a lead's handle alone; '' without a key."""
        if not self._key:
            return ""
        return hmac.digest(self._key, f"consent {name}".encode("utf-8", "surrogatepass"), "sha256").hex()[:_DIGITS]


class Consents:
    """Reads and writes marks. Every method may raise ``redis.RedisError`` and may be called again.

    ``erased``: the names of leads that were erased. ``rules``: of each persona.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        erased: ErasedNames,
        rules: Mapping[str, Consent],
        retention: Retention,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._write = scripts.consent
        self._write_of_lead = scripts.consent_of_lead
        self._told = scripts.consent_told
        self.erased = erased
        self._shared = [name for name, each in rules.items() if each.scope == "lead"]
        self._timeline_ms = retention.dead_ms
        self._conversation_ms = retention.conversation_ms

    def of(self, conversation: Conversation) -> Mark | None:
        """What the lead has said to this persona; None = nothing, or the conversation was erased."""
        return _mark(*conversation, self._redis.hget(self._keys.of(conversation).consents, conversation.name))

    def of_erased(self, conversation: Conversation) -> Mark | None:
        """What the lead had said to this persona when the conversation was erased; None = it was not, or nothing."""
        if not self.erased.kept:
            return None
        key = self._keys.of(conversation).erased_consents
        return _mark(*conversation, self._redis.hget(key, self.erased.of(conversation.name)))

    def of_lead(self, target: str) -> Mark | None:
        """What the lead has said for all personas, also one that was erased; None = nothing."""
        shard = self._keys.lead(target)
        if not self.erased.kept:
            return _mark(ALL_PERSONAS, target, self._redis.hget(shard.consents_of_leads, target))
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(shard.consents_of_leads, target)
            pipeline.hget(shard.erased_consents, self.erased.of(target))
            kept, erased = pipeline.execute()
        return _mark(ALL_PERSONAS, target, kept or erased)

    def is_shared(self, persona: str) -> bool:
        """Whether what a lead says to this persona counts for all that have the scope ``lead``."""
        return persona in self._shared

    def all(self, persona: str | None = None) -> list[Mark]:
        """All marks but those of erased leads, the oldest first. ``persona``: only of this one, or ``ALL_PERSONAS``."""
        return sorted(self._all(persona), key=lambda mark: (mark.since, mark.persona, mark.target))

    def write(
        self,
        conversation: Conversation,
        state: State | Literal["none"],
        by: str,
        since: datetime | None = None,
        call: str = "",
    ) -> Written:
        """Write what a lead has consented to towards this persona; in the scope ``lead`` towards all that have it.

        ``none``: nothing is known any more. ``since``: None = now. Returns ``nothing`` when it is so already. ``call``:
        names the act, and the same name again answers the same; '' = it has none.
        """
        if conversation.persona == ALL_PERSONAS:
            return self.write_for_all(conversation.target, state, str(_ms(since)) if since else "", by, call)
        errand = f"{ERRAND} {conversation.name}" if conversation.persona in self._shared and state != "none" else ""
        written = self._written(conversation, state, by, since=_ms(since) if since else "", errand=errand, call=call)
        if errand:
            self.tell(conversation)
        return written

    def change(
        self,
        conversation: Conversation,
        state: State | Literal["none"],
        by: str,
        since: datetime | None = None,
        call: str = "",
    ) -> bool:
        """As ``write``. Returns whether something else was known before: ``write`` answers a call that it has carried
        out before as it did then. An act with a name has changed something also when it did so the first time."""
        persona, target = conversation
        if call:
            return self.write(conversation, state, by, since, call) == "done"
        if persona == ALL_PERSONAS:
            before = self.of_lead(target)
        else:
            before = self.of(conversation) or self.of_erased(conversation)
        return self.write(conversation, state, by, since) == "done" and not (before and before.state == state)

    def tell(self, conversation: Conversation) -> None:
        """Tell the lead's other personas what this lead has said last. Does nothing when that is done already."""
        shard, name = self._keys.of(conversation), conversation.name
        errand = f"{ERRAND} {name}"
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(shard.consents, name)
            pipeline.zscore(shard.errands, errand)
            said, waits = pipeline.execute()
        if waits is None:
            return
        mark = _mark(*conversation, said)
        if mark:
            self.write_for_all(mark.target, mark.state, str(_ms(mark.since)), mark.by)
            if mark.state == "in":
                self._undo_for_others(mark)
        self._told.run(shard, name=name, errand=errand, said=said or "")

    def _undo_for_others(self, mark: Mark) -> None:
        for persona in self._shared:
            if persona != mark.persona:
                self._written(Conversation(persona, mark.target), "in", mark.by, only_later_than=_ms(mark.since))

    def _written(
        self,
        conversation: Conversation,
        state: str,
        by: str,
        *,
        since: int | str = "",
        errand: str = "",
        only_later_than: int | str = "",
        call: str = "",
    ) -> Written:
        keys = self._keys.conversation(conversation)
        written: Written = self._write.run(
            keys,
            name=keys.name,
            state=state,
            by=by,
            since=since,
            erased=self.erased.of(keys.name),
            errand=errand,
            only_later_than=only_later_than,
            timeline_ms=self._timeline_ms,
            conversation_ms=self._conversation_ms,
            call=call,
        )
        return written

    def write_for_all(self, target: str, state: str, at: str, by: str, call: str = "") -> Written:
        """Write the lead's own mark. ``at``: milliseconds when it was said, '' = now; what was said later stays.
        ``call``: see ``write``."""
        shard = self._keys.lead(target)
        erased = self.erased.of(target)
        written: Written = self._write_of_lead.run(
            shard, target=target, erased=erased, state=state, at=at, by=by, call=call
        )
        return written

    def _all(self, persona: str | None) -> Iterator[Mark]:
        for shard in self._keys.shards:
            for target, kept in self._redis.hscan_iter(shard.consents_of_leads):
                mark = _mark(ALL_PERSONAS, str(target), str(kept))
                if mark and persona in (None, ALL_PERSONAS):
                    yield mark
            for name, kept in self._redis.hscan_iter(shard.consents):
                mark = _mark(*Conversation.of_name(str(name)), str(kept))
                if mark and persona in (None, mark.persona):
                    yield mark


def _mark(persona: str, target: str, kept: object) -> Mark | None:
    if kept is None:
        return None
    state, at, by = str(kept).split(" ", 2)
    return Mark(persona, target, cast("State", state), as_datetime(int(at)), by)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
