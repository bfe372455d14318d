"""Requests that come at the same time are handled by one call in one thread: a thread and a round trip for each of them
would cost more than the work itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

Job = TypeVar("Job")
Result = TypeVar("Result")


class Gathered(Generic[Job, Result]):
    """Gathers jobs while the last ones are being done. A job that comes alone is done at once.

    ``work``: does jobs in their order and returns a result for each; it blocks. What it raises, all of its callers get.
    ``most``: jobs of one call.
    """

    def __init__(self, work: Callable[[Sequence[Job]], Sequence[Result]], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[tuple[Job, asyncio.Future[Result]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def do(self, job: Job) -> Result:
        """The result of one job."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((job, future))
        if self._running is None:
            self._running = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._some()
        finally:
            self._running = None

    async def _some(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        futures = [future for _, future in taken]
        try:
            results = await run_in_threadpool(self._work, [job for job, _ in taken])
        except Exception as error:
            for future in futures:
                if not future.done():
                    future.set_exception(error)
            return
        for future, result in zip(futures, results, strict=True):
            # Who has hung up has cancelled it.
            if not future.done():
                future.set_result(result)
