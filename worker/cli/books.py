"""``parley books``: accepted = answered + joined + ignored + sealed + skipped + dead + waiting."""

from __future__ import annotations

from dataclasses import asdict

from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No
from worker.cli.session import session

_COLUMNS = ("accepted", "answered", "joined", "ignored", "sealed", "skipped", "dead", "waiting", "unexplained")


def books(json: AsJson = False) -> None:
    """Count every accepted event, by persona. Exit status 1 when one is unexplained.

    Example: parley books
    """
    with session(reads=True) as opened:
        accounts = opened.store.books.accounts()
    if json:
        screen.as_json([{**asdict(account), "unexplained": account.unexplained} for account in accounts])
    elif accounts:
        rows = [[account.persona, *(getattr(account, column) for column in _COLUMNS)] for account in accounts]
        screen.table(["persona", *_COLUMNS], rows)
    else:
        screen.say("Nothing has been accepted so far.")
    unexplained = {account.persona: account.unexplained for account in accounts if account.unexplained}
    if unexplained:
        said = ", ".join(f"{persona}: {count}" for persona, count in unexplained.items())
        raise No(f"The books do not balance ({said}). Accepted events have gone missing or were counted twice.")
