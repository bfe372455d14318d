"""Where a reader of notices is: shared by the iterators of both clients."""

from __future__ import annotations

from collections import deque

from parley_client.answers import Notice, Page

# As the ingress takes them.
MOST_NOTICES = 1000
MOST_SECONDS = 60


class Position:
    """A place among the notices. ``cursor``: everything up to it was read; None = from the oldest one that is kept.
    ``dropped``: how many were gone before they were read."""

    def __init__(self, after: str | None, limit: int, wait: int) -> None:
        if after is not None and (not isinstance(after, str) or not after):
            raise ValueError("after: give a cursor of an earlier reader, or None")
        _check("limit", limit, 1, MOST_NOTICES)
        _check("wait", wait, 0, MOST_SECONDS)
        self.cursor = after
        self.dropped = 0
        self.limit = limit
        self.wait = wait
        self._open: deque[Notice] = deque()
        self._end = after

    def next(self) -> Notice | None:
        """The next notice that has arrived; None when the page is read, and only then the cursor moves on: a reader
        that stops in the middle of a page gets the whole page again."""
        if self._open:
            return self._open.popleft()
        self.cursor = self._end
        return None

    def arrived(self, page: Page) -> bool:
        """Take a page. Returns False when there is nothing to read now and the reader does not wait."""
        # Notices that the source may not see make an answer empty, too: then the cursor has moved.
        moved = page.cursor != self._end
        self._open.extend(page.notices)
        self._end = page.cursor
        self.dropped += page.dropped
        return bool(page.notices) or moved or self.wait > 0


class Reader:
    """What the iterators of both clients show of where they are."""

    def __init__(self, position: Position) -> None:
        self._position = position

    @property
    def cursor(self) -> str | None:
        """Everything up to it was read."""
        return self._position.cursor

    @property
    def dropped(self) -> int:
        """How many notices were gone before they were read."""
        return self._position.dropped


def _check(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name}: give a whole number from {least} to {most}")
