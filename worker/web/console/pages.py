"""Which page is at which address, and what an operator needs to see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from starlette.responses import Response

from worker.web.console import conversation, conversations, overview
from worker.web.console.visits import Visit

Page = Callable[[Visit], Response]

Right = Literal["look", "act", "read"]

PAGES: tuple[tuple[str, str, Right, Page], ...] = (
    ("GET", "/", "look", overview.overview),
    ("GET", "/conversations", "look", conversations.conversations),
    ("POST", "/conversations", "look", conversations.search),
    ("GET", "/c/{place}", "look", conversation.conversation),
    ("POST", "/c/{place}/words", "read", conversation.words),
)

_LIVE: dict[str, Page] = {
    r"": overview.overview,
    r"conversations": conversations.conversations,
    r"c/(?P<place>[^/]+)": conversation.conversation,
}


def shown_at(path: str) -> tuple[Page | None, dict[str, str]]:
    """The page whose changes are told at ``/live/`` and this path, and the names in the path."""
    for pattern, page in _LIVE.items():
        if found := re.fullmatch(pattern, path):
            return page, found.groupdict()
    return None, {}
