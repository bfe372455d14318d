"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import httpx

from parley_client import transport
from parley_client.answers import Receipt, State
from parley_client.calls import Calls, Flow, Result
from parley_client.credentials import credentials
from parley_client.errors import ParleyError
from parley_client.messages import Answer, Lost, Request
from parley_client.models.events import Event


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

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

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
        until = time.monotonic() + self._timeout + request.wait
        try:
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
        except httpx.RequestError as error:
            return transport.lost(error)
