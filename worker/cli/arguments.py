"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

PersonaArgument = Annotated[str, typer.Argument(metavar="PERSONA", help="Name of a configured persona.")]
TargetArgument = Annotated[str, typer.Argument(metavar="TARGET", help="The lead's handle, such as @john_doe.")]
EventArgument = Annotated[str, typer.Argument(metavar="EVENT_ID", help="As parley dead list shows it.")]

PersonaOption = Annotated[str | None, typer.Option("--persona", help="Only of this persona.")]
ReasonOption = Annotated[str, typer.Option(help="Why; shown by explain.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who, if not the user who runs this.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
