"""What both doubles have in common: record the call, act, take time, then answer or fail as the rules say."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from simulation.upstreams.answer import Answer, detail
from simulation.upstreams.call_log import Call
from simulation.upstreams.control_api import PREFIX, ControlApi
from simulation.upstreams.exchange import BodyTooLarge, ClientDisconnect, Exchange
from simulation.upstreams.faults import FaultKind, FaultRule, faulty_answer
from simulation.upstreams.simulation import Simulation

logger = logging.getLogger(__name__)

Act = Callable[[], Answer]


class Upstream(ABC):
    """An ASGI application that plays one service.

    A call takes effect when it is complete, before any waiting: a client that leaves early has been heard all the same,
    as with a real server. The call is recorded as ended before the first byte of the answer leaves.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._control = ControlApi(simulation)

    @abstractmethod
    def read(self, exchange: Exchange, body: bytes) -> tuple[Call, Act]:
        """Describe the call, and say how to act on it. Must not change anything yet."""

    def own_page(self, exchange: Exchange) -> Answer | None:
        """The answer to a request that is no call of the API, such as one for a picture; None if it is one."""
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._serve(exchange)
        except ClientDisconnect:
            return
        except BodyTooLarge:
            await exchange.answer(detail(413, "the body is larger than this double keeps"))
        except Exception:
            logger.exception("the simulation failed in %s %s", exchange.method, exchange.path)
            raise

    async def _serve(self, exchange: Exchange) -> None:
        body = await exchange.read_body()
        if exchange.path.startswith(PREFIX):
            await exchange.answer(self._control.answer(exchange, body))
            return
        page = self.own_page(exchange)
        if page is not None:
            await exchange.answer(page)
            return
        call, act = self.read(exchange, body)
        self.simulation.log.begin(call, exchange.transport)
        try:
            await self._carry_out(exchange, call, act)
        finally:
            # Reached with the call still open only if the server is stopped or has a bug.
            self.simulation.log.end(call)

    async def _carry_out(self, exchange: Exchange, call: Call, act: Act) -> None:
        rule = self.simulation.faults.pick(call)
        if rule is None:
            answer = act()
            seconds = self.simulation.latencies.draw(call)
            if seconds:
                await asyncio.sleep(seconds)
            await self._answer(exchange, call, answer)
            return
        call.fault = rule.kind.value
        right = act() if rule.takes_effect else None
        await self._fail(exchange, call, rule, right)

    async def _fail(self, exchange: Exchange, call: Call, rule: FaultRule, right: Answer | None) -> None:
        if rule.kind is FaultKind.HANG:
            await self._hang(exchange, rule.delay_seconds)
        else:
            # A refusal is quick; an answer that comes after the work takes the time of the work.
            await asyncio.sleep(rule.delay_seconds + (self.simulation.latencies.draw(call) if right else 0.0))
        answer = faulty_answer(rule, right)
        if answer is not None:
            await self._answer(exchange, call, answer)
        elif rule.kind is FaultKind.HALF_ANSWER and right is not None and not exchange.client_gone:
            self._end(exchange, call, right.status)
            await exchange.answer_half(right)
        else:
            self._end(exchange, call, None)
            await exchange.drop()

    async def _answer(self, exchange: Exchange, call: Call, answer: Answer) -> None:
        self._end(exchange, call, answer.status)
        await exchange.answer(answer)

    def _end(self, exchange: Exchange, call: Call, status: int | None) -> None:
        call.client_gone = exchange.client_gone
        call.status = None if call.client_gone else status
        self.simulation.log.end(call)

    async def _hang(self, exchange: Exchange, seconds: float) -> None:
        waits = {
            asyncio.ensure_future(exchange.wait_until_closed()),
            asyncio.ensure_future(self.simulation.released.wait()),
        }
        try:
            await asyncio.wait(waits, timeout=seconds or None, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            for wait in waits:
                with suppress(asyncio.CancelledError):
                    await wait
