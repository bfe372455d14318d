"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.ending import Usage
from worker.domain.operator_words import MOST_NAME, MOST_REASON


def within_limit(reason: str) -> str:
    """The reason of an act, as it was given. Raises ``Usage`` for one that is too long."""
    return _within("--reason", reason, MOST_REASON)


def _name_within_limit(name: str | None) -> str | None:
    return name and _within("--by", name, MOST_NAME)


def _within(option: str, words: str, most: int) -> str:
    if len(words) > most:
        raise Usage(f"{option} has {len(words)} characters, the limit is {most}: shorten it. Nothing was changed.")
    return words


PersonaArgument = Annotated[str, typer.Argument(metavar="PERSONA", help="Name of a configured persona.")]
TargetArgument = Annotated[str, typer.Argument(metavar="TARGET", help="The lead's handle, such as @john_doe.")]
EventArgument = Annotated[str, typer.Argument(metavar="EVENT_ID", help="As parley dead list shows it.")]

PersonaOption = Annotated[str | None, typer.Option("--persona", help="Only of this persona.")]
ReasonOption = Annotated[str, typer.Option(help="Why; shown by explain.", callback=within_limit)]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who, if not the user who runs this.", callback=_name_within_limit)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
