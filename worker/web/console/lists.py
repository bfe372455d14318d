"""Two plain lists: the follow-ups to come, and what operators did."""

from __future__ import annotations

from itertools import groupby

from starlette.responses import Response

from worker.domain.cadence import TouchState
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.domain.sentences import of_stored
from worker.store.redis.connection import clock_ms
from worker.web.console.visits import Visit

_ROWS = 100


def follow_ups(visit: Visit) -> Response:
    """The next follow-ups, by the day on which they are due (UTC)."""
    found = visit.store.follow_ups.upcoming(_ROWS)
    named = [(each, Conversation.of_name(each.conversation)) for each in found]
    rows = [(each, conversation, visit.place_of(conversation)) for each, conversation in named]
    return visit.page(
        "follow_ups.html",
        now=clock_ms(visit.store.redis),
        days=[(day, list(own)) for day, own in groupby(rows, lambda row: _day(row[0]))],
        most=_ROWS,
        full=len(found) == _ROWS,
        told_of=of_stored,
    )


def audit(visit: Visit) -> Response:
    """The newest acts of operators, by the command and here."""
    found = visit.store.audit.newest(_ROWS)
    rows = [
        (each, visit.place_of(Conversation(each.persona, each.target)) if each.persona and each.target else "")
        for each in found
    ]
    return visit.page("audit.html", now=clock_ms(visit.store.redis), rows=rows, most=_ROWS)


def _day(touch: TouchState) -> str:
    return f"{as_datetime(touch.due):%A, %d %B %Y}"
