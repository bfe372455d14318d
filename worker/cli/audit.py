"""``parley audit``: who did what when."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, PersonaOption
from worker.cli.session import session
from worker.store.operator.audit import MOST_ACTS, Act, Done


def audit(
    by: Annotated[str, typer.Option("--by", help="Only what this operator did.")] = "",
    act: Annotated[Act | None, typer.Option("--act", help="Only acts of this kind.")] = None,
    persona: PersonaOption = None,
    target: Annotated[str, typer.Option("--target", help="Only what was done about this lead.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST_ACTS, help="How many to show at most, the newest.")] = 100,
    json: AsJson = False,
) -> None:
    """List what operators did, the newest first: who, what, when.

    The newest 10 000 acts are kept. They have no content, and no name of a lead who was forgotten.

    Example: parley audit --by kim
    """
    with session(reads=True) as opened:
        wanted = act.value if act else ""
        found = opened.store.audit.newest(limit, by=by, act=wanted, persona=persona or "", target=target)
    if json:
        screen.as_json([asdict(done) for done in found])
    elif found:
        screen.table(
            ["at (UTC)", "by", "what", "persona", "target", "details"],
            [[screen.moment(each.at), each.by, each.act, each.persona, _target(each), each.detail] for each in found],
        )
    else:
        screen.say("No act of an operator is noted that matches.")


def _target(done: Done) -> str:
    return "(forgotten)" if done.erased else done.target
