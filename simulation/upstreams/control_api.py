"""The doubles' own address ``/_simulation/``: what was called, and what is to go wrong. The same on both doubles.

``GET calls?since=SEQ&limit=N`` (JSON lines), ``GET summary``, ``GET deliveries?session_id=ID``; ``POST`` with a JSON
object: ``faults``, ``faults/clear``, ``latency``, ``seal``, ``own_elsewhere``, ``credits``, ``release``, ``reset``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulation.upstreams.answer import Answer, detail, json_answer
from simulation.upstreams.call_log import Service
from simulation.upstreams.exchange import Exchange
from simulation.upstreams.faults import FaultRule
from simulation.upstreams.latency import Latency
from simulation.upstreams.personas import Persona
from simulation.upstreams.simulation import Simulation

PREFIX = "/_simulation/"

_MOST_CALLS = 5_000


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lead(_Order):
    """A conversation of a persona. Orders that name one hold for calls from then on."""

    persona: str
    target: str


class Credits(_Order):
    """How many conversations a persona can still start; None means any number."""

    persona: str
    starts: int | None = Field(ge=0)


class LatencyOrder(_Order):
    """Seconds, drawn from ``low`` to ``high``, for all calls that agree with what is named."""

    low: float = Field(ge=0)
    high: float = Field(ge=0)
    service: Service | None = None
    persona: str | None = None
    target: str | None = None
    session_id: str | None = None


class _Unknown(ValueError):
    """The order names something that does not exist."""


class ControlApi:
    """Answers the requests under ``/_simulation/``. They are not calls, so they are neither recorded nor delayed."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._routes: dict[tuple[str, str], Callable[[Exchange, bytes], Answer]] = {
            ("GET", "calls"): self._calls,
            ("GET", "summary"): self._summary,
            ("GET", "deliveries"): self._deliveries,
            ("POST", "faults"): self._add_fault,
            ("POST", "faults/clear"): self._clear_faults,
            ("POST", "latency"): self._set_latency,
            ("POST", "seal"): self._seal,
            ("POST", "own_elsewhere"): self._own_elsewhere,
            ("POST", "credits"): self._set_credits,
            ("POST", "release"): self._release,
            ("POST", "reset"): self._reset,
        }

    def answer(self, exchange: Exchange, body: bytes) -> Answer:
        """Carry out one request. Unknown ones answer 404, wrong ones 422 with the reason."""
        route = self._routes.get((exchange.method, exchange.path.removeprefix(PREFIX)))
        if route is None:
            return detail(404, f"no {exchange.method} {exchange.path} here")
        try:
            return route(exchange, body)
        except ValidationError as error:
            return detail(422, json.loads(error.json(include_url=False, include_context=False)))
        except ValueError as error:
            return detail(422, str(error))

    def _calls(self, exchange: Exchange, body: bytes) -> Answer:
        query = _query(exchange)
        limit = min(int(query.get("limit", _MOST_CALLS)), _MOST_CALLS)
        calls = self._simulation.log.since(int(query.get("since", 0)), limit)
        lines = "".join(call.to_json() + "\n" for call in calls)
        return Answer(200, lines.encode(), b"application/x-ndjson")

    def _summary(self, exchange: Exchange, body: bytes) -> Answer:
        return json_answer(200, {service: asdict(counts) for service, counts in self._simulation.log.summary.items()})

    def _deliveries(self, exchange: Exchange, body: bytes) -> Answer:
        deliveries = self._simulation.deliveries.get(_query(exchange).get("session_id", ""), [])
        return json_answer(200, [asdict(delivery) for delivery in deliveries])

    def _add_fault(self, exchange: Exchange, body: bytes) -> Answer:
        self._simulation.faults.add(FaultRule.model_validate_json(body))
        return _DONE

    def _clear_faults(self, exchange: Exchange, body: bytes) -> Answer:
        self._simulation.faults.clear()
        return _DONE

    def _set_latency(self, exchange: Exchange, body: bytes) -> Answer:
        order = LatencyOrder.model_validate_json(body)
        service = order.service
        lead: str | None = None
        for given, its_service in _leads(order):
            if service not in (None, its_service) or lead is not None:
                raise _Unknown("a target belongs to fluidtalk and a session_id to captivate; name one of them")
            service, lead = its_service, given
        self._simulation.latencies.set(Latency(order.low, order.high), service, order.persona, lead)
        return _DONE

    def _seal(self, exchange: Exchange, body: bytes) -> Answer:
        order = Lead.model_validate_json(body)
        self._persona(order.persona).conversation(order.target).sealed = True
        return _DONE

    def _own_elsewhere(self, exchange: Exchange, body: bytes) -> Answer:
        order = Lead.model_validate_json(body)
        character = self._simulation.characters.get(order.persona)
        if character is None:
            self._persona(order.persona).conversation(order.target).owned_elsewhere = True
        else:
            # The target of such a persona names the platform too.
            platform, _, handle = order.target.partition("/")
            character.lead(platform, handle).owned_elsewhere = True
        return _DONE

    def _set_credits(self, exchange: Exchange, body: bytes) -> Answer:
        order = Credits.model_validate_json(body)
        character = self._simulation.characters.get(order.persona)
        if character is None:
            self._persona(order.persona).starts_left = order.starts
        else:
            character.turns_left = order.starts
        return _DONE

    def _release(self, exchange: Exchange, body: bytes) -> Answer:
        self._simulation.release()
        return _DONE

    def _reset(self, exchange: Exchange, body: bytes) -> Answer:
        self._simulation.reset()
        return _DONE

    def _persona(self, name: str) -> Persona:
        persona = self._simulation.personas.get(name)
        if persona is None:
            raise _Unknown(f"no persona {name}; there are {', '.join(sorted(self._simulation.personas))}")
        return persona


_DONE = json_answer(200, {"done": True})


def _leads(order: LatencyOrder) -> list[tuple[str, Literal["fluidtalk", "captivate"]]]:
    leads: list[tuple[str, Service]] = []
    if order.target is not None:
        leads.append((order.target, "fluidtalk"))
    if order.session_id is not None:
        leads.append((order.session_id, "captivate"))
    return leads


def _query(exchange: Exchange) -> dict[str, Any]:
    return {name: values[-1] for name, values in parse_qs(exchange.scope["query_string"].decode("ascii")).items()}
