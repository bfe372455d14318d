"""Which keys stored content is encrypted with, and the way to another one while everything runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from redis import Redis

from worker.domain.conversation import Conversation
from worker.store.encryption import OF_CONVERSATION, OF_JOURNAL, Content, Field, Undecryptable, key_of
from worker.store.redis.scripts import Scripts

# Hashes that are read and changed with one round trip each.
_AT_ONCE = 500
# Keys that a sample looks at, at most: those of other kinds may be many.
_SAMPLE_KEYS = 20_000

_HOLDER = re.compile(r"parley:\{\d\d\}:(?:(?P<conversation>conversation)|journal):(?P<rest>.*)", re.DOTALL)


@dataclass
class Tally:
    """What was found. ``looked_at``: conversations and events. ``by_key``: stored texts by the name of the key that
    encrypted them, '' = none. ``changed``: of these, how many are encrypted again. ``undecryptable``: how many could
    not be read, by the reason."""

    looked_at: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    undecryptable: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Holder:
    """A hash with content."""

    key: str
    conversation: Conversation
    fields: tuple[Field, ...]


class Rotation:
    """Reads all content of the store in parts. Every method may raise ``redis.RedisError``; then ask again."""

    def __init__(self, redis: Redis, scripts: Scripts, content: Content) -> None:
        self._redis = redis
        self._reencrypt = scripts.reencrypt
        self._content = content

    def run(self) -> Iterator[Tally]:
        """Encrypt all that is stored with the key that encrypts now; the tally so far, after each part and at the end.

        What has that key already is left alone, so a run that was cut short is simply begun again. Workers may run: a
        text that one of them has changed since it was read is not touched.
        """
        tally = Tally()
        for holders in _parts(self._holders()):
            calls = []
            for holder, stored in self._read(holders):
                texts = self._anew(holder, stored, tally)
                if texts:
                    calls.append(self._reencrypt.call(holder=holder.key, texts=texts))
            tally.changed += sum(self._reencrypt.many(calls)) if calls else 0
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
            rest: str = found["rest"]
            # A journal's key says the event first; its id has no space.
            name, fields = (rest, OF_CONVERSATION) if found["conversation"] else (rest.partition(" ")[2], OF_JOURNAL)
            yield _Holder(str(key), Conversation.of_name(name), fields)

    def _read(self, holders: list[_Holder]) -> list[tuple[_Holder, list[str | None]]]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for holder in holders:
                pipeline.hmget(holder.key, *holder.fields)
            return list(zip(holders, pipeline.execute(), strict=True)) if holders else []

    def _anew(self, holder: _Holder, stored: list[str | None], tally: Tally) -> list[str]:
        tally.looked_at += 1
        texts: list[str] = []
        for name, text in zip(holder.fields, stored, strict=True):
            if not text:
                continue
            tally.by_key[key_of(text)] += 1
            try:
                plain = self._content.decrypt(name, holder.conversation, text)
            except Undecryptable as reason:
                tally.undecryptable[str(reason)] += 1
                continue
            if key_of(text) != self._content.writes_with:
                texts += [name, text, self._content.encrypt(name, holder.conversation, plain)]
        return texts


def _parts(holders: Iterable[_Holder]) -> Iterator[list[_Holder]]:
    left = iter(holders)
    while part := list(islice(left, _AT_ONCE)):
        yield part
