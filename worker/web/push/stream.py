"""The notices of the store as one endpoint wants them."""

from __future__ import annotations

from collections.abc import Sequence

from worker.domain.notices import Notice
from worker.store import Store
from worker.web.push.delivery import Read

_ALL = "*"


class Wanted:
    """Which notices an endpoint wants. ``types``: such as ``parley.event.dead`` or ``parley.event.*``; ``personas``;
    None = all."""

    def __init__(self, types: Sequence[str] | None, personas: Sequence[str] | None) -> None:
        self._all_types = types is None
        self._types = frozenset(each for each in types or () if not each.endswith(_ALL))
        self._beginnings = tuple(each.removesuffix(_ALL) for each in types or () if each.endswith(_ALL))
        self._personas = None if personas is None else frozenset(personas)

    def has(self, notice: Notice) -> bool:
        """Whether it wants this one."""
        if self._personas is not None and notice.persona not in self._personas:
            return False
        return self._all_types or notice.type in self._types or notice.type.startswith(self._beginnings)


class NoticeStream:
    """Reads them. Methods raise ``StoreError``."""

    def __init__(self, store: Store, wanted: Wanted) -> None:
        self._notices = store.notices
        self._wanted = wanted

    @property
    def shards(self) -> int:
        """How many streams there are."""
        return self._notices.shards

    def read(self, place: int, after: str, most: int) -> Read[Notice]:
        """What comes after a position."""
        page = self._notices.read_shard(place, after, most)
        items = [
            (at_of(notice), f"{notice.persona}:{notice.target}", notice if self._wanted.has(notice) else None)
            for notice in page.notices
        ]
        return Read(items, page.after, page.dropped, len(items) < most)

    def told(self, notice: Notice) -> tuple[str, str]:
        """Id and type of a notice."""
        return notice.id, notice.type


def at_of(notice: Notice) -> str:
    """The id that a notice has in its stream."""
    return notice.id.partition("-")[2]
