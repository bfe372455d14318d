"""The client for programs with threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
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


class Notices(Reader):
    """Iterates over notices, and asks for more when those that have come are read.

    With ``wait`` it goes on for ever; else it ends when there is nothing new, and can be iterated again later.
    ``cursor``: everything up to it was read; keep it, and go on with ``notices(after=cursor)``. It moves on when a page
    of up to ``limit`` notices is read, so after a crash a reader may get some of them again: ``sequence`` tells them.
    ``dropped``: how many were no longer kept when they were asked for.

    An error of a call is raised where the next notice would come. The iterator can be used again after it.
    """

    def __init__(self, fetch: Callable[[Position], Page], position: Position) -> None:
        super().__init__(position)
        self._fetch = fetch

    def __iter__(self) -> Notices:
        return self

    def __next__(self) -> Notice:
        while (notice := self._position.next()) is None:
            if not self._position.arrived(self._fetch(self._position)):
                self._position.next()
                raise StopIteration
        return notice


class Client:
    """Sends events to a Parley ingress. Safe for threads; make one for each process, after a fork.

    ``base_url``: the address of the ingress. ``token`` or ``signing_secret``: of the source, as the ingress has it.
    ``timeout``: seconds for each part of a request (connect, write) and for its whole answer. ``retry_seconds``: a
    request without a usable answer is repeated for so long; 0 = never. ``http``: a transport of httpx of your own.

    Raises ``ValueError`` for an argument that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        signing_secret: str | None = None,
        timeout: float = 10.0,
        retry_seconds: float = 30.0,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self._timeout = transport.checked_seconds("timeout", timeout, 0.001)
        patience = transport.checked_seconds("retry_seconds", retry_seconds, 0)
        self._calls = Calls(transport.checked_origin(base_url), credentials(token, signing_secret), patience)
        self._http = httpx.Client(transport=http, headers={"User-Agent": transport.USER_AGENT})

    def send(self, event: Event | Mapping[str, Any]) -> Receipt:
        """Send one event. When it returns, the event is in the store.

        ``event``: one of the event models, or a mapping with ``kind``. One without an ``event_id`` gets a new one.
        The same ``event_id`` again, in the same conversation, is a ``duplicate``.

        Raises ``InvalidEvent`` before anything is sent; ``Problem``, ``Unreachable`` or ``BadAnswer``.
        """
        return self._run(self._calls.send(event))

    def send_many(self, events: Iterable[Event | Mapping[str, Any]]) -> list[Receipt | ParleyError]:
        """Send events, up to 1000 in a request. Returns for each its receipt, or why it was refused, in the same order.

        The events of one conversation keep their order. A refused event does not stop the others. If a whole request
        fails, nothing more is sent, and the error is raised: its ``results`` are those of the events before, its
        ``unsent`` the other events, which can be given to ``send_many`` again.
        """
        return self._run(self._calls.send_many(events))

    def status(self, receipt: Receipt | str) -> State:
        """What became of an event. Raises ``UnknownReceipt`` and as ``send``."""
        return self._run(self._calls.status(receipt))

    def notices(self, *, after: str | None = None, limit: int = 100, wait: int = 0) -> Notices:
        """What became of events, conversations and personas, for a source that would rather ask than be told.

        ``after``: the cursor of an earlier reader; None = from the oldest notice that is kept. ``limit``: of a page, at
        most 1000. ``wait``: seconds, at most 60, that the ingress waits for a notice when there is none; then the
        iterator never ends.
        """
        return Notices(self._page, Position(after, limit, wait))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _page(self, position: Position) -> Page:
        return self._run(self._calls.notices(position.cursor, position.limit, position.wait))

    def _run(self, flow: Flow[Result]) -> Result:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Request):
                    step = flow.send(self._answer(step))
                else:
                    time.sleep(step.seconds)
                    step = next(flow)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _answer(self, request: Request) -> Answer | Lost:
        until = time.monotonic() + self._timeout + request.wait
        try:
            asked = transport.httpx_request(self._http, request, self._timeout)
            response = self._http.send(asked, stream=True)
            try:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    transport.check(len(body), until)
                return transport.answer_of(response, bytes(body))
            finally:
                response.close()
        except httpx.RequestError as error:
            return transport.lost(error)
