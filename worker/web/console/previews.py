"""What a page before an act says, and what an act is: told first, with numbers, then done."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from worker.cli.explain import Account
from worker.domain.operator_words import MOST_REASON
from worker.web.console.visits import Refusal, Visit


class Moment(NamedTuple):
    """A time that the page asks for, in UTC. ``value``, ``earliest``: such as 2026-11-22T09:00."""

    label: str
    value: str
    earliest: str


class Preview(NamedTuple):
    """A page before an act. ``says``: what will happen. ``reason``: whether it asks why. ``choices``: value and
    sentence of each, under ``legend``; the one in ``chosen`` is chosen. ``moment``: the time that it asks for.
    ``counted``: a sealed word for those that it counts."""

    title: str
    says: list[str]
    button: str
    reason: bool = False
    danger: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    chosen: str = ""
    legend: str = ""
    moment: Moment | None = None
    counted: str = ""


class Act(NamedTuple):
    """``preview`` raises ``Refusal`` when there is nothing to do; ``run`` returns what was done, as a sentence.
    ``then``: the page that is shown next, '' = that of the conversation."""

    preview: Callable[[Visit, Account], Preview]
    run: Callable[[Visit], str]
    then: str = ""


def reason_in(visit: Visit) -> str:
    """Why the operator does it, as the form has it; '' = it is not said. Raises ``Refusal`` when it is too long."""
    reason = " ".join(visit.form.get("reason", "").split())
    if len(reason) > MOST_REASON:
        raise Refusal(400, "Nothing was changed", f"The reason has more than {MOST_REASON} characters. Shorten it.")
    return reason
