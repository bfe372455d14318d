"""The command as a whole: its parts, and how it ends.

Exit status: 0 = done or yes; 1 = no (not balanced, not found, not possible, the store is
unreachable); 2 = wrong usage or settings.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from worker import __version__
from worker.cli import screen
from worker.cli.ending import No, Usage
from worker.cli.groups import Entry, LazyGroup
from worker.cli.table import CONSENT, DEAD, FOLLOW_UPS, INGRESS, NOTICES, OPERATORS, PARLEY

_MORE = "More"


class _Parley(LazyGroup):
    entries = PARLEY


app = typer.Typer(
    name="parley",
    cls=_Parley,
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


def _add_group(name: str, group: Mapping[str, Entry], about: str) -> None:
    lazy = type("Group", (LazyGroup,), {"entries": group})
    app.add_typer(typer.Typer(cls=lazy, help=about, no_args_is_help=True), name=name, rich_help_panel=_MORE)


_add_group("dead", DEAD, "Dead letters, events that ended without an answer: list, look at, replay, discard.")
_add_group("follow-ups", FOLLOW_UPS, "Follow-ups: what is due when and why, what a change of the cadence would do.")
_add_group("consent", CONSENT, "Consent: who opted out of openers, event triggers and follow-ups, who opted in.")
_add_group("ingress", INGRESS, "The ingress: what it would make of a request.")
_add_group(
    "notices",
    NOTICES,
    "Notices of what became of events: what others are told, and how far each endpoint is.",
)
_add_group("operator", OPERATORS, "Operators: who may look, act and read content in a browser, with a password.")


def main() -> None:
    """Run the command that the arguments name; ends the process with its exit status."""
    screen.take_any_text()
    try:
        app(prog_name="parley")
    except No as answer:
        _end(str(answer), 1)
    except Usage as fault:
        _end(str(fault), 2)
    except Exception as error:
        # Their modules are not loaded for what needs neither settings nor store.
        from config.settings import SettingsError
        from worker.store import StoreError

        if isinstance(error, SettingsError):
            _end(str(error), 2)
        if not isinstance(error, StoreError):
            raise
        _end(f"The store {_said(error)}. What to do about it: parley check", 1)


def _said(error: Exception) -> str:
    from worker.store.redis.failures import code_of, is_own_fault
    from worker.store.redis.troubles import trouble_of

    if is_own_fault(error):
        return f"refuses this ({code_of(error)})"
    trouble = trouble_of(error)
    return f"{trouble.means} ({trouble.code})" if trouble.answered else f"gives no answer ({trouble.code})"


def _end(sentence: str, status: int) -> None:
    screen.complain(sentence)
    sys.exit(status)
