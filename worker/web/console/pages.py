"""Which page is at which address, and what an operator needs to see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from starlette.responses import Response

from worker.web.console import (
    conversation,
    conversation_acts,
    conversations,
    dead_letters,
    lists,
    overview,
    personas,
    takeovers,
)
from worker.web.console.visits import Visit

Page = Callable[[Visit], Response]

Right = Literal["look", "act", "read"]

PAGES: tuple[tuple[str, str, Right, Page], ...] = (
    ("GET", "/", "look", overview.overview),
    ("GET", "/conversations", "look", conversations.conversations),
    ("POST", "/conversations", "look", conversations.search),
    ("GET", "/c/{place}", "look", conversation.conversation),
    ("POST", "/c/{place}/words", "read", conversation.words),
    ("POST", "/c/{place}/export", "read", conversation.export),
    ("POST", "/c/{place}/say", "act", takeovers.say),
    ("GET", "/c/{place}/{act}", "act", conversation_acts.preview),
    ("POST", "/c/{place}/{act}", "act", conversation_acts.run),
    ("GET", "/dead", "look", dead_letters.groups),
    ("GET", "/dead/group/{word}", "look", dead_letters.group),
    ("GET", "/dead/group/{word}/{act}", "act", dead_letters.group_preview),
    ("POST", "/dead/group/{word}/{act}", "act", dead_letters.group_run),
    ("GET", "/dead/letter/{word}", "look", dead_letters.letter),
    ("POST", "/dead/letter/{word}/words", "read", dead_letters.letter_words),
    ("POST", "/dead/letter/{word}/replay", "act", dead_letters.letter_run),
    ("GET", "/follow-ups", "look", lists.follow_ups),
    ("GET", "/personas", "look", personas.personas),
    ("GET", "/personas/{name}/pause", "act", personas.pause_preview),
    ("POST", "/personas/{name}/pause", "act", personas.pause),
    ("GET", "/personas/{name}/resume", "act", personas.resume_preview),
    ("POST", "/personas/{name}/resume", "act", personas.resume),
    ("GET", "/audit", "look", lists.audit),
)

_LIVE: dict[str, Page] = {
    r"": overview.overview,
    r"conversations": conversations.conversations,
    r"c/(?P<place>[^/]+)": conversation.conversation,
    r"dead": dead_letters.groups,
    r"follow-ups": lists.follow_ups,
    r"personas": personas.personas,
    r"audit": lists.audit,
}


def shown_at(path: str) -> tuple[Page | None, dict[str, str]]:
    """The page whose changes are told at ``/live/`` and this path, and the names in the path."""
    for pattern, page in _LIVE.items():
        if found := re.fullmatch(pattern, path):
            return page, found.groupdict()
    return None, {}


def back_from(path: str) -> str:
    """The page from which one comes to an act at this path; ``/`` when that is no act."""
    _, place, *names = path.split("/")
    match place, names:
        case "c", [conversation, _]:
            return f"/c/{conversation}"
        case "dead", [kind, word, _]:
            return f"/dead/{kind}/{word}"
        case "personas", [_, _]:
            return "/personas"
        case _:
            return "/"
