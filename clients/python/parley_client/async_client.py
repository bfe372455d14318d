"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

import httpx

from parley_client import transport
from parley_client.answers import Notice, Page, Receipt, State
from parley_client.calls import Calls, Flow, Result
from parley_client.credentials import credentials
from parley_client.errors import ParleyError
from parley_client.messages import Answer, Lost, Request
from parley_client.models.events import Event
from parley_client.notices import Position, Reader


class AsyncNotices(Reader):
    """``Notices`` for asyncio: ``async for notice in client.notices()``."""

    def __init__(self, fetch: Callable[[Position], Awaitable[Page]], position: Position) -> None:
        super().__init__(position)
        self._fetch = fetch

    def __aiter__(self) -> AsyncNotices:
        return self

    async def __anext__(self) -> Notice:
        while (notice := self._position.next()) is None:
            if not self._position.arrived(await self._fetch(self._position)):
                self._position.next()
                raise StopAsyncIteration
        return notice


class AsyncClient:
    """Sends events to a Parley ingress: ``Client`` for asyncio, with the same arguments, results and errors."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        signing_secret: str | None = None,
        timeout: float = 10.0,
        retry_seconds: float = 30.0,
        http: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout = transport.checked_seconds("timeout", timeout, 0.001)
        patience = transport.checked_seconds("retry_seconds", retry_seconds, 0)
        self._calls = Calls(transport.checked_origin(base_url), credentials(token, signing_secret), patience)
        self._http = httpx.AsyncClient(transport=http, headers={"User-Agent": transport.USER_AGENT})

    async def send(self, event: Event | Mapping[str, Any]) -> Receipt:
        """As ``Client.send``."""
        return await self._run(self._calls.send(event))

    async def send_many(self, events: Iterable[Event | Mapping[str, Any]]) -> list[Receipt | ParleyError]:
        """As ``Client.send_many``."""
        return await self._run(self._calls.send_many(events))

    async def status(self, receipt: Receipt | str) -> State:
        """As ``Client.status``."""
        return await self._run(self._calls.status(receipt))

    def notices(self, *, after: str | None = None, limit: int = 100, wait: int = 0) -> AsyncNotices:
        """As ``Client.notices``."""
        return AsyncNotices(self._page, Position(after, limit, wait))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _page(self, position: Position) -> Page:
        return await self._run(self._calls.notices(position.cursor, position.limit, position.wait))

    async def _run(self, flow: Flow[Result]) -> Result:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Request):
                    step = flow.send(await self._answer(step))
                else:
                    await asyncio.sleep(step.seconds)
                    step = next(flow)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _answer(self, request: Request) -> Answer | Lost:
        try:
            # Each read has its time-out, and a server could make any number of them necessary.
            async with asyncio.timeout(self._timeout * 2 + request.wait):
                return await self._whole(request)
        except httpx.RequestError as error:
            return transport.lost(error)
        except TimeoutError:
            return transport.lost(transport.TooLong(""))

    async def _whole(self, request: Request) -> Answer:
        until = time.monotonic() + self._timeout + request.wait
        asked = transport.httpx_request(self._http, request, self._timeout)
        response = await self._http.send(asked, stream=True)
        try:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                transport.check(len(body), until)
            return transport.answer_of(response, bytes(body))
        finally:
            await response.aclose()
