"""One conversation: why there is no answer, what happened, and, for who may read it, what was said."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.responses import Response

from worker.cli.explain import Account, account_of, details_of
from worker.cli.read import json_lines
from worker.domain.handles import Handles
from worker.store.operator.operator_messages import MOST_CHARACTERS
from worker.store.views.timeline import Moment
from worker.web.console.buttons import of_conversation
from worker.web.console.visits import Refusal, Visit

_LINES = 200
_MARKS = {
    "answered": "good",
    "dead": "bad",
    "refused": "bad",
    "sealed": "quiet",
    "taken over": "person",
    "handed back": "person",
    "held": "wait",
}


class Step(NamedTuple):
    """A line of the timeline. ``mark``: its kind, for the eye; the word says it, too."""

    moment: Moment
    details: str
    mark: str


def conversation(visit: Visit) -> Response:
    """The page, without content."""
    return visit.page("conversation.html", said=None, waiting=None, **about(visit))


def words(visit: Visit) -> Response:
    """The page with what was said and what waits. It leaves a trace, which is written first."""
    told = about(visit)
    waiting, said = visit.acts.read(visit.conversation, _LINES)
    return visit.page("conversation.html", said=said, waiting=waiting, **told)


def export(visit: Visit) -> Response:
    """What was said, as a file. It leaves a trace, which is written first. Its name names no lead."""
    if not visit.store.transcripts.kept:
        raise Refusal(409, "There is nothing to export", "What was said is not kept (PARLEY_TRANSCRIPT__DAYS is 0).")
    lines = json_lines(visit.acts.export(visit.conversation))
    headers = {"Content-Disposition": 'attachment; filename="conversation.jsonl"'}
    return Response("".join(lines), media_type="application/jsonl", headers=headers)


def about(visit: Visit) -> dict[str, Any]:
    """What the page shows of its conversation. Raises ``Refusal`` when nothing is known of it."""
    conversation = visit.conversation
    account = of_conversation(account_of(visit.opened, conversation))
    if not account.now.known:
        raise Refusal(404, "Nothing is known of this conversation", account.sentence)
    handles = Handles(visit.settings.privacy)
    steps = [Step(each, details_of(each), _MARKS.get(each.word, "")) for each in reversed(account.moments)]
    return {
        "place": visit.place_of(conversation),
        "persona": conversation.persona,
        "target": conversation.target,
        "shown_as": handles.hash_of(conversation.target) if handles.hashed else "",
        "account": account,
        "now": account.now.now,
        "steps": steps,
        "badges": _badges(account),
        "kept": visit.store.transcripts.kept,
        "mine": _holder(account.now.taken_over) == visit.operator.name,
        "most_characters": MOST_CHARACTERS,
        "draft": "",
        "fault": "",
        "may_anyway": False,
    }


def _holder(taken_over: str) -> str:
    return taken_over.removeprefix("claimed by ").partition(":")[0] if taken_over.startswith("claimed by ") else ""


def _badges(account: Account) -> list[tuple[str, str]]:
    now = account.now
    found = [
        (bool(now.taken_over), "a person has it", "person"),
        (bool(now.sealed_at), "sealed", "quiet"),
        (bool(now.waiting) and now.hold_until > now.now, "held", "wait"),
        (now.leased and now.lease_until > now.now, "a turn runs", "good"),
        (bool(now.waiting), f"{now.waiting} waiting", "wait"),
    ]
    return [(word, mark) for holds, word, mark in found if holds] or [("quiet", "quiet")]
