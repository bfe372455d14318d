"""Readers who wait for notices: one look at the store serves all of them, and none of them holds a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

# How long a notice may be there before those who wait read it.
_LOOK_SECONDS = 0.25
# How long it looks on when nobody waits: a reader comes again at once.
_IDLE_SECONDS = 5.0


class Arrivals:
    """Looks whether there is anything new, as long as anyone waits.

    ``changed``: whether there is, since it was last asked; it blocks. What it raises counts as something new, because
    each reader finds out for itself what is wrong.
    """

    def __init__(self, changed: Callable[[], bool]) -> None:
        self._changed = changed
        self._came = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._wanted_until = 0.0
        self.waiting = 0

    def mark(self) -> asyncio.Event:
        """To be taken before a reader looks for itself: what comes from then on ends its wait."""
        return self._came

    async def wait(self, mark: asyncio.Event, seconds: float) -> bool:
        """Wait until something has come since ``mark``, at most so long. Returns whether it has."""
        self._wanted_until = time.monotonic()
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
        self.waiting += 1
        try:
            await asyncio.wait_for(mark.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1
        return True

    async def _run(self) -> None:
        try:
            while self.waiting or time.monotonic() < self._wanted_until + _IDLE_SECONDS:
                if await self._look():
                    came, self._came = self._came, asyncio.Event()
                    came.set()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._running = None

    async def _look(self) -> bool:
        try:
            return await run_in_threadpool(self._changed)
        except Exception:
            return True
