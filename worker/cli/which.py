"""``parley which``: the lead behind a hash that Flower or a log shows."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No, Usage
from worker.cli.session import session
from worker.domain.handles import Handles
from worker.store.operator.audit import Act


def which(
    shown: Annotated[str, typer.Argument(metavar="HASH", help="Such as 3f9a2c1b, '#3f9a2c1b' or ava:#3f9a2c1b.")],
    limit: Annotated[int, typer.Option(min=1, help="Try at most so many conversations.")] = 1_000_000,
    json: AsJson = False,
) -> None:
    """Say which lead a hash stands for, of those of whom anything is kept. More than one can have it, rarely.

    Example: parley which 3f9a2c1b
    """
    persona, _, digits = shown.rpartition(":")
    with session(reads=True) as opened:
        handles = Handles(opened.settings.privacy)
        if not handles.hashed:
            raise Usage("Handles are shown as they are (PARLEY_PRIVACY__HANDLES=plain): there are no hashes.")
        wanted = f"#{digits.lstrip('#').lower()}"
        tried, found = 0, []
        for each in opened.store.timeline.conversations(limit):
            tried += 1
            if handles.hash_of(each.target) == wanted and persona in ("", each.persona):
                found.append(each)
        if found:
            opened.acts().did(Act.HASH_LOOKED_UP, persona or None, wanted)
    if not found:
        more = " Not all were tried: raise --limit." if tried == limit else ""
        raise No(
            f"None of {tried} conversations has this hash.{more} The key has to be that of the worker "
            "(PARLEY_PRIVACY__HANDLE_KEY)."
        )
    if json:
        screen.as_json([each._asdict() for each in sorted(found)])
    else:
        screen.table(["persona", "target"], sorted(found))
