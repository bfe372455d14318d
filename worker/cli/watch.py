"""``parley watch``: the status and the last moments of turns, once a second."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from worker.cli import screen
from worker.cli.explain import details_of
from worker.cli.session import Session, session
from worker.cli.status import condition_of, drawn
from worker.store import StoreError
from worker.store.views.recent_moments import Glimpses, Seen

if TYPE_CHECKING:
    from rich.console import RenderableType

_EVERY_SECONDS = 1.0
_MOMENTS = 12
_LOOK_SECONDS = 0.2
# After Ctrl-C; a terminal that takes nothing must not keep the command.
_END_SECONDS = 3.0


def watch() -> None:
    """Show the status and what turns do, once a second, until Ctrl-C; on a pipe once.

    Turns that begin and end between two looks are not shown: parley explain has all of them.
    """
    if sys.stdout.isatty():
        _live()
        return
    with session(reads=True) as opened:
        screen.show(*_view(opened, Glimpses(opened.store.redis, opened.store.keys)))


def _live() -> None:
    # The store is read in a thread, so that Ctrl-C need not wait for its answer. A handler that raises would not do:
    # what is raised while an object is collected is lost.
    stopped, ended = threading.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    views: queue.SimpleQueue[RenderableType | Exception] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(views, stopped), daemon=True).start()
    threading.Thread(target=_end, args=(stopped, ended), daemon=True).start()
    try:
        _show(views, stopped)
    finally:
        ended.set()


def _show(views: queue.SimpleQueue[RenderableType | Exception], stopped: threading.Event) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False, markup=False, emoji=False)
    with Live(screen.lines(["Reading the store ..."]), console=console, screen=True, auto_refresh=False) as live:
        while not stopped.is_set():
            try:
                view = views.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if isinstance(view, Exception):
                raise view
            live.update(view, refresh=True)


def _read(views: queue.SimpleQueue[RenderableType | Exception], stopped: threading.Event) -> None:
    from rich.console import Group

    try:
        with session(reads=True) as opened:
            glimpses = Glimpses(opened.store.redis, opened.store.keys)
            while not stopped.is_set():
                try:
                    views.put(Group(*_view(opened, glimpses)))
                except StoreError as error:
                    views.put(screen.lines([f"The store gives no answer ({type(error).__name__}); trying again."]))
                stopped.wait(_EVERY_SECONDS)
    except Exception as fault:
        views.put(fault)


def _end(stopped: threading.Event, ended: threading.Event) -> None:
    stopped.wait()
    if not ended.wait(_END_SECONDS):
        os._exit(0)


def _view(opened: Session, glimpses: Glimpses) -> Iterator[RenderableType]:
    yield from drawn(condition_of(opened))
    yield screen.lines([""])
    yield screen.grid(
        ["at (UTC)", "persona", "target", "what", "details"], [_row(seen) for seen in glimpses.look(_MOMENTS)]
    )


def _row(seen: Seen) -> list[str]:
    at = f"{seen.moment.at:%H:%M:%S}"
    return [at, *seen.conversation, seen.moment.word, details_of(seen.moment)]
