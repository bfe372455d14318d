"""The command as a whole: its parts, and how it ends.

Exit status: 0 = done or yes; 1 = no (not balanced, not found, not possible, store away); 2 = wrong usage or settings.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from config.settings import SettingsError
from worker import __version__
from worker.cli import (
    books,
    check,
    claims,
    dead_replay,
    explain,
    follow_ups,
    forget,
    gates,
    health,
    outreach,
    rotate_keys,
    screen,
    seals,
    status,
    watch,
    which,
)
from worker.cli import dead as letters
from worker.cli.session import No, Usage
from worker.store import StoreError
from worker.store.redis.failures import code_of, is_own_fault

_LOOK, _PERSONA, _LEAD, _MORE = "Look", "A whole persona", "One lead", "More"

app = typer.Typer(
    name="parley",
    help="Operate Parley. Begin with: parley status. When one lead has no answer: parley explain PERSONA TARGET.\n\n"
    "Exit status: 0 = done or yes, 1 = no, 2 = wrong usage or settings. Times are UTC.",
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks would show what the variables hold.
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        screen.say(f"parley {__version__}")
        raise typer.Exit


@app.callback()
def _parley(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the command itself."""


app.command("status", rich_help_panel=_LOOK)(status.status)
app.command("watch", rich_help_panel=_LOOK)(watch.watch)
app.command("explain", rich_help_panel=_LOOK)(explain.explain)
app.command("books", rich_help_panel=_LOOK)(books.books)
app.command("check", rich_help_panel=_LOOK)(check.check)
app.command("health", rich_help_panel=_LOOK)(health.health)
app.command("which", rich_help_panel=_LEAD)(which.which)
app.command("rotate-keys", rich_help_panel=_MORE)(rotate_keys.rotate_keys)
app.command("pause", rich_help_panel=_PERSONA)(gates.pause)
app.command("resume", rich_help_panel=_PERSONA)(gates.resume)
app.command("outreach", rich_help_panel=_PERSONA)(outreach.outreach)
app.command("claim", rich_help_panel=_LEAD)(claims.claim)
app.command("hand-back", rich_help_panel=_LEAD)(claims.hand_back)
app.command("claims", rich_help_panel=_LEAD)(claims.claims)
app.command("seal", rich_help_panel=_LEAD)(seals.seal)
app.command("unseal", rich_help_panel=_LEAD)(seals.unseal)
app.command("seals", rich_help_panel=_LEAD)(seals.seals)
app.command("forget", rich_help_panel=_LEAD)(forget.forget)

dead = typer.Typer(
    help="Dead letters, events that ended without an answer: list, look at, replay, discard.", no_args_is_help=True
)
dead.command("list")(letters.list_letters)
dead.command("show")(letters.show)
dead.command("replay")(dead_replay.replay)
dead.command("replay-all")(dead_replay.replay_all)
dead.command("discard")(dead_replay.discard)
app.add_typer(dead, name="dead", rich_help_panel=_MORE)

touches = typer.Typer(
    help="Follow-ups: what is due when and why, what a change of the cadence would do.", no_args_is_help=True
)
touches.command("list")(follow_ups.list_touches)
touches.command("show")(follow_ups.show)
touches.command("preview")(follow_ups.preview)
touches.command("apply")(follow_ups.apply)
touches.command("cancel")(follow_ups.cancel)
app.add_typer(touches, name="follow-ups", rich_help_panel=_MORE)


def main() -> None:
    """Run the command that the arguments name; ends the process with its exit status."""
    try:
        app()
    except No as answer:
        _end(str(answer), 1)
    except (Usage, SettingsError) as fault:
        _end(str(fault), 2)
    except StoreError as error:
        said = (
            f"refuses this ({code_of(error)})" if is_own_fault(error) else f"gives no answer ({type(error).__name__})"
        )
        _end(f"The store {said}. What to do about it: parley check", 1)


def _end(sentence: str, status: int) -> None:
    screen.complain(sentence)
    sys.exit(status)
