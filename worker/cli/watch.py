"""``parley watch``: the status and the last moments of turns, once a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live

from worker.cli import screen
from worker.cli.explain import details_of
from worker.cli.session import Session, session
from worker.cli.status import condition_of, drawn
from worker.store import StoreError
from worker.store.views.recent_moments import Glimpses, Seen

_EVERY_SECONDS = 1.0
_MOMENTS = 12


def watch() -> None:
    """Show the status and what turns do, once a second, until Ctrl-C; on a pipe once.

    Turns that begin and end between two looks are not shown: parley explain has all of them.
    """
    with session() as opened:
        glimpses = Glimpses(opened.store.redis, opened.store.keys)
        if not sys.stdout.isatty():
            screen.show(*_view(opened, glimpses))
            return
        try:
            _live(opened, glimpses)
        except KeyboardInterrupt:
            return


def _live(opened: Session, glimpses: Glimpses) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            started_at = time.monotonic()
            try:
                shown: RenderableType = Group(*_view(opened, glimpses))
            except StoreError as error:
                shown = screen.lines([f"The store gives no answer ({type(error).__name__}); trying again."])
            live.update(shown, refresh=True)
            time.sleep(max(0.1, started_at + _EVERY_SECONDS - time.monotonic()))


def _view(opened: Session, glimpses: Glimpses) -> Iterator[RenderableType]:
    yield from drawn(condition_of(opened))
    yield screen.lines([""])
    yield screen.grid(
        ["at (UTC)", "persona", "target", "what", "details"], [_row(seen) for seen in glimpses.look(_MOMENTS)]
    )


def _row(seen: Seen) -> list[str]:
    at = f"{seen.moment.at:%H:%M:%S}"
    return [at, *seen.conversation, seen.moment.word, details_of(seen.moment)]
