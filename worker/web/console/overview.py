"""The overview: how everything is, and what needs a person."""

from __future__ import annotations

from starlette.responses import Response

from worker.cli.needs import needs, sentence
from worker.store.views.figures import OTHER
from worker.web.console.visits import Visit

# Where somebody who reads about it wants to go next.
_PAGES = {"dead letters": ("/dead", "Dead letters"), "personas": ("/personas", "Personas")}


def overview(visit: Visit) -> Response:
    """The page."""
    condition = visit.conditions.now()
    found = needs(condition)
    headline = sentence(condition) if not found else _headline(len(found))
    return visit.page(
        "overview.html",
        now=condition.now,
        headline=headline,
        well=not found,
        needs=found,
        pages=_PAGES,
        condition=condition,
        figures=condition.figures,
        other=OTHER,
        gone=[each for each in condition.alive.gone if each.state != "stopped"][:3],
    )


def _headline(number: int) -> str:
    return "1 thing needs you." if number == 1 else f"{number} things need you."
