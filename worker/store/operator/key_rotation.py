"""Which keys stored content is encrypted with, and the way to another one while everything runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from redis import Redis

from worker.domain.conversation import Conversation
from worker.store.conversations.transcripts import CONTENT_OF, parts_of
from worker.store.encryption import OF_CONVERSATION, OF_JOURNAL, Content, Field, Undecryptable, key_of
from worker.store.redis.scripts import Scripts

_FIELDS: dict[str, tuple[Field, ...]] = {"conversation": OF_CONVERSATION, "journal": OF_JOURNAL, "transcript": ()}

# Hashes that are read and changed with one round trip each.
_AT_ONCE = 500
# Keys that a sample looks at, at most: those of other kinds may be many.
_SAMPLE_KEYS = 20_000

_HOLDER = re.compile(r"parley:\{\d\d\}:(?P<kind>conversation|journal|transcript):(?P<rest>.*)", re.DOTALL)


@dataclass
class Tally:
    """What was found. ``looked_at``: conversations, events and transcripts. ``by_key``: stored texts by the name of the
    key that encrypted them, '' = none. ``changed``: of these, how many are encrypted again. ``undecryptable``: how many
    could not be read, by the reason."""

    looked_at: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    undecryptable: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Holder:
    """A hash with content in these fields; without any, a transcript, which is a list."""

    key: str
    conversation: Conversation
    fields: tuple[Field, ...] = ()


class Rotation:
    """Reads all content of the store in parts. Every method may raise ``redis.RedisError``; then ask again."""

    def __init__(self, redis: Redis, scripts: Scripts, content: Content) -> None:
        self._redis = redis
        self._reencrypt = scripts.reencrypt
        self._reencrypt_lines = scripts.reencrypt_lines
        self._content = content

    def run(self) -> Iterator[Tally]:
        """Encrypt all that is stored with the key that encrypts now; the tally so far, after each part and at the end.

        What has that key already is left alone, so a run that was cut short is simply begun again. Workers may run: a
        text that one of them has changed since it was read is not touched.
        """
        tally = Tally()
        for holders in _parts(self._holders()):
            calls, calls_for_lines = [], []
            for holder, stored in self._read(holders):
                texts = self._anew(holder, stored, tally)
                if texts and holder.fields:
                    calls.append(self._reencrypt.call(holder=holder.key, texts=texts))
                elif texts:
                    calls_for_lines.append(self._reencrypt_lines.call(lines=holder.key, texts=texts))
            tally.changed += sum(self._reencrypt.many(calls)) if calls else 0
            tally.changed += sum(self._reencrypt_lines.many(calls_for_lines)) if calls_for_lines else 0
            yield tally
        yield tally

    def sample(self, limit: int = 200) -> Tally:
        """Look at the content of so many conversations and events, and change nothing."""
        tally = Tally()
        for holder, stored in self._read(list(islice(self._holders(_SAMPLE_KEYS), limit))):
            self._anew(holder, stored, tally)
        return tally

    def keys_in_all(self) -> int:
        """About how many keys of all kinds ``run`` passes."""
        counted: int = self._redis.dbsize()
        return counted

    def _holders(self, most: int | None = None) -> Iterator[_Holder]:
        for key in islice(self._redis.scan_iter(match="parley:*", count=_AT_ONCE), most):
            found = _HOLDER.fullmatch(str(key))
            if found is None:
                continue
            kind, rest = found["kind"], found["rest"]
            # A journal's key says the event first; its id has no space.
            name = rest.partition(" ")[2] if kind == "journal" else rest
            yield _Holder(str(key), Conversation.of_name(name), _FIELDS[kind])

    def _read(self, holders: list[_Holder]) -> list[tuple[_Holder, list[str | None]]]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for holder in holders:
                if holder.fields:
                    pipeline.hmget(holder.key, *holder.fields)
                else:
                    pipeline.lrange(holder.key, 0, -1)
            return list(zip(holders, pipeline.execute(), strict=True)) if holders else []

    def _anew(self, holder: _Holder, stored: list[str | None], tally: Tally) -> list[str]:
        tally.looked_at += 1
        texts: list[str] = []
        if not holder.fields:
            for line in filter(None, stored):
                start, who, event_id, messages, text = parts_of(line)
                if (rewritten := self._other(holder, CONTENT_OF[who], text, tally)) is not None:
                    texts += [line, " ".join((start, who, event_id, messages, rewritten))]
            return texts
        for name, kept in zip(holder.fields, stored, strict=True):
            if kept and (rewritten := self._other(holder, name, kept, tally)) is not None:
                texts += [name, kept, rewritten]
        return texts

    def _other(self, holder: _Holder, name: Field, text: str, tally: Tally) -> str | None:
        tally.by_key[key_of(text)] += 1
        try:
            plain = self._content.decrypt(name, holder.conversation, text)
        except Undecryptable as reason:
            tally.undecryptable[str(reason)] += 1
            return None
        if key_of(text) == self._content.writes_with:
            return None
        return self._content.encrypt(name, holder.conversation, plain)


def _parts(holders: Iterable[_Holder]) -> Iterator[list[_Holder]]:
    left = iter(holders)
    while part := list(islice(left, _AT_ONCE)):
        yield part
