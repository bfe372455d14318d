"""The command as a whole: its parts, and how it ends.

Exit status: 0 = done or yes; 1 = no (not balanced, not found, not possible, store away); 2 = wrong usage or settings.
"""

from __future__ import annotations

import sys

import typer

from config.settings import SettingsError
from worker.cli import accounts, checking, explaining, gates, letters, replaying
from worker.cli.session import No, Usage
from worker.store import StoreError

app = typer.Typer(
    name="parley",
    help="Operate Parley: look at the books, explain silence, pause and resume personas, replay dead letters.",
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks would show what the variables hold.
    pretty_exceptions_enable=False,
)
app.command("books")(accounts.books)
app.command("check")(checking.check)
app.command("pause")(gates.pause)
app.command("resume")(gates.resume)
app.command("explain")(explaining.explain)

dead = typer.Typer(
    help="Dead letters, events that ended without an answer: list, look at, replay.", no_args_is_help=True
)
dead.command("list")(letters.list_letters)
dead.command("show")(letters.show)
dead.command("replay")(replaying.replay)
dead.command("replay-all")(replaying.replay_all)
app.add_typer(dead, name="dead")


def main() -> None:
    """Run the command that the arguments name; ends the process with its exit status."""
    try:
        app()
    except No as answer:
        _end(str(answer), 1)
    except (Usage, SettingsError) as fault:
        _end(str(fault), 2)
    except StoreError as error:
        _end(f"The store gives no answer ({type(error).__name__}). What to do about it: parley check", 1)


def _end(sentence: str, status: int) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(status)
