"""``GET /v1/notices``: what became of events, for sources that may send them, by a cursor that each of them keeps."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from starlette.datastructures import QueryParams

from config.settings import Settings
from worker.domain.handles import Handles
from worker.domain.notices import Notice
from worker.store import Store
from worker.store.notices import UnknownCursor
from worker.web.arrivals import Arrivals
from worker.web.problems import Problem
from worker.web.sources import Source

MOST_NOTICES = 1000
MOST_SECONDS = 60
_USUAL = 100
_MOST_CURSOR = 8192

# How many pages one answer may read, for a source that may see only few of the notices.
_PAGES = 20

# Those beyond it are answered at once: a connection that waits is one that nobody else has.
_MOST_WAITING = 200

_NUMBER = re.compile(r"\d{1,6}", re.ASCII)


class Wanted(NamedTuple):
    """What a request asks for. ``after``: '' = from the oldest notice."""

    after: str
    limit: int
    wait: int


class Pulled(NamedTuple):
    """``cursor``: as the store has it. ``more``: there are notices behind it that were not looked at."""

    notices: list[Notice]
    cursor: str
    dropped: int
    more: bool


class Cursors:
    """The cursor of a source: sealed, because it counts the notices of all others, too."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def seal(self, source: str, cursor: str) -> str:
        """As the source gets it."""
        sealed = self._cipher.encrypt(cursor.encode(), [b"notices", source.encode()])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, source: str, given: str) -> str:
        """As the store has it. Raises ``Problem`` for one that this source did not get."""
        try:
            sealed = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
            return self._cipher.decrypt(sealed, [b"notices", source.encode()]).decode()
        except (binascii.Error, ValueError, InvalidTag):
            raise unknown_cursor() from None

    @cached_property
    def _cipher(self) -> AESSIV:
        return AESSIV(self._key())


class NoticesDoor:
    """``in_thread``: runs what blocks. It may raise ``StoreError``, and so may ``answer``."""

    def __init__(self, settings: Settings, store: Store, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._store = store
        self._handles = Handles(settings.privacy)
        self._cursors = Cursors(lambda: store.receipt_key.value)
        self._in_thread = in_thread
        self._seen = ""
        self._arrivals: Arrivals | None = None

    async def answer(self, source: Source, query: QueryParams) -> dict[str, Any]:
        """The next notices that the source may see. Raises ``Problem``."""
        wanted = _wanted(query)
        after = await self._in_thread(self._opened, source, wanted.after)
        until, dropped = time.monotonic() + wanted.wait, 0
        while True:
            mark = self._waiting.mark()
            page: Pulled = await self._in_thread(self._pull, source, after, wanted.limit)
            after, dropped = page.cursor, dropped + page.dropped
            left = until - time.monotonic()
            if page.notices or dropped or left <= 0 or self._waiting.waiting >= _MOST_WAITING:
                break
            if not page.more and not await self._waiting.wait(mark, left):
                break
        return {
            "notices": [notice.document(self._handles) for notice in page.notices],
            "cursor": self._cursors.seal(source.name, after),
            "dropped": dropped,
        }

    @property
    def _waiting(self) -> Arrivals:
        # Made in the loop that it belongs to.
        if self._arrivals is None:
            self._arrivals = Arrivals(self._changed)
        return self._arrivals

    def _changed(self) -> bool:
        if self._seen and not self._store.notices.any_behind(self._seen):
            return False
        self._seen = self._store.notices.end()
        return True

    def _opened(self, source: Source, given: str) -> str:
        if not self._store.notices.kept():
            raise Problem("notices-off", "neither this process nor the workers keep notices")
        return self._cursors.open(source.name, given) if given else ""

    def _pull(self, source: Source, after: str, limit: int) -> Pulled:
        seen: list[Notice] = []
        dropped, more = 0, True
        for _ in range(_PAGES):
            try:
                page = self._store.notices.read(after, limit - len(seen))
            except UnknownCursor:
                raise unknown_cursor() from None
            after, dropped = page.cursor, dropped + page.dropped
            seen += [notice for notice in page.notices if sees(source, notice)]
            more = bool(page.notices)
            if not more or len(seen) >= limit:
                break
        return Pulled(seen, after, dropped, more)


def sees(source: Source, notice: Notice) -> bool:
    """Whether a source may see a notice: one of a persona that it may send for, and of an event that it may send."""
    if source.personas is not None and notice.persona not in source.personas:
        return False
    return source.kinds is None or not notice.is_of_event or notice.kind in source.kinds


def unknown_cursor() -> Problem:
    """It is none of ours, or another source's."""
    return Problem("unknown-cursor", "no answer of this ingress to this source has had this cursor")


def _wanted(query: QueryParams) -> Wanted:
    if unknown := sorted(set(query) - {"after", "limit", "wait"}):
        raise Problem("query", f"{len(unknown)} unknown names in it: after, limit and wait are known")
    after = query.get("after", "")
    if len(after) > _MOST_CURSOR:
        raise unknown_cursor()
    return Wanted(after, _number(query, "limit", _USUAL, 1, MOST_NOTICES), _number(query, "wait", 0, 0, MOST_SECONDS))


def _number(query: QueryParams, name: str, usual: int, least: int, most: int) -> int:
    given = query.get(name)
    if given is None:
        return usual
    if not _NUMBER.fullmatch(given) or not least <= int(given) <= most:
        raise Problem("query", f"{name} must be a whole number from {least} to {most}", field=name)
    return int(given)
