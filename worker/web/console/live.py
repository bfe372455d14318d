"""Live updates: the middle of a page again whenever it has changed, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from worker.domain.unexpected import UnexpectedErrors
from worker.store import StoreError
from worker.web.console.visits import Refusal

_EVERY_SECONDS = 3.0
# Then the browser asks again, and shows who it is again.
_LONGEST_SECONDS = 300.0
# Names the act of a form, another one each time; a page that differs in nothing else has not changed.
_FRESH = re.compile(r'name="id" value="[0-9a-f]*"')
_BEGIN, _END = "<!--main-->", "<!--/main-->"


def main_of(response: Response) -> str:
    """The middle of a page, which changes while it is looked at."""
    text = bytes(response.body).decode()
    return text.partition(_BEGIN)[2].partition(_END)[0]


def stream(
    main: Callable[[], str | None],
    unexpected: UnexpectedErrors,
    stopping: Callable[[], bool] = lambda: False,
    every_seconds: float = _EVERY_SECONDS,
) -> Response:
    """Events with the middle of a page. ``main``: makes it, in a thread; None = the session is over. ``stopping``: the
    process ends, and the browser has to ask again."""

    async def events() -> AsyncIterator[str]:
        ends_at, last = time.monotonic() + _LONGEST_SECONDS, ""
        yield "retry: 3000\n\n"
        while time.monotonic() < ends_at and not stopping():
            try:
                now = await run_in_threadpool(main)
            except Refusal:
                now = None
            except StoreError:
                now = last
            except Exception as error:
                unexpected.note(error)
                now = None
            if now is None:
                yield "event: over\ndata: {}\n\n"
                return
            yield ": still there\n\n" if _FRESH.sub("", now) == _FRESH.sub("", last) else f"data: {json.dumps(now)}\n\n"
            last = now
            await asyncio.sleep(every_seconds)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
