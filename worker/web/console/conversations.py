"""The list of conversations: search, filters, page by page."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from worker.domain.conversation import Conversation
from worker.store.views.known_conversations import Known, State
from worker.web.console.visits import Visit

_ROWS = 50
_SEARCH, _CURSOR = "search", "cursor"
_MOST_CHARACTERS = 200
_FILTERS = {
    State.WAITING: "Waiting",
    State.HELD: "Held",
    State.RUNNING: "Running",
    State.TAKEN_OVER: "Taken over",
    State.SEALED: "Sealed",
    State.DEAD: "Dead letters",
    State.OPTED_OUT: "Opted out",
}


def conversations(visit: Visit) -> Response:
    """The page."""
    state, persona, text = _asked(visit)
    after = visit.sealed.open(_CURSOR, visit.query.get("after", ""))
    page = visit.store.known.page(
        [State(state)] if state else [],
        persona or None,
        _ROWS,
        Known(Conversation.of_name(after[1]), int(after[0])) if after else None,
        text,
    )
    further = page.next and visit.sealed.seal(_CURSOR, [page.next.last_event, page.next.conversation.name])
    return visit.page(
        "conversations.html",
        now=page.now,
        rows=page.rows,
        state=state,
        persona=persona,
        text=text,
        personas=sorted(visit.settings.personas),
        filters=[("", "All", _address(visit, "", persona, text))]
        + [(each.value, label, _address(visit, each.value, persona, text)) for each, label in _FILTERS.items()],
        further=_address(visit, state, persona, text, further) if further else "",
        first=_address(visit, state, persona, text) if after else "",
        everything=_address(visit, "", "", ""),
    )


def search(visit: Visit) -> Response:
    """What somebody looks for becomes a sealed word of the address."""
    text = visit.form.get("text", "").strip()[:_MOST_CHARACTERS]
    return visit.go(_address(visit, visit.form.get("state", ""), visit.form.get("persona", ""), text))


def _asked(visit: Visit) -> tuple[str, str, str]:
    state, persona = visit.query.get("state", ""), visit.query.get("persona", "")
    text = visit.sealed.open(_SEARCH, visit.query["find"]) if visit.query.get("find") else ""
    return (
        state if state in list(_FILTERS) else "",
        persona if persona in visit.settings.personas else "",
        text or "",
    )


def _address(visit: Visit, state: str, persona: str, text: str, after: str | None = None) -> str:
    asked = {
        "state": state,
        "persona": persona,
        "find": visit.sealed.seal(_SEARCH, text) if text else "",
        "after": after or "",
    }
    given = urlencode({name: value for name, value in asked.items() if value})
    return f"/conversations?{given}" if given else "/conversations"
