"""The state that both doubles share: one log, one set of rules, one memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulation.upstreams.call_log import CallLog, Service
from simulation.upstreams.characters import Character
from simulation.upstreams.faults import FaultRules
from simulation.upstreams.latency import Latencies, Latency
from simulation.upstreams.personas import Persona


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one accepted send brought to a Captivate conversation. ``arrived`` as in ``Call``."""

    arrived: int
    messages: list[dict[str, Any]]
    actions: list[dict[str, Any]] | None
    idempotency_key: str | None
    headers: dict[str, str]


@dataclass(slots=True)
class Simulation:
    """Everything the doubles know. ``keys``: API key or connector token -> persona name.

    ``latency``: of each service at the start.
    """

    keys: Mapping[str, str]
    log: CallLog
    latency: Mapping[Service, Latency] = field(default_factory=dict)
    faults: FaultRules = field(default_factory=FaultRules)
    latencies: Latencies = field(default_factory=Latencies)
    personas: dict[str, Persona] = field(default_factory=dict)
    characters: dict[str, Character] = field(default_factory=dict)
    deliveries: dict[str, list[Delivery]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._begin()

    def reset(self) -> None:
        """Back to the state of the start: no calls, rules, conversations, deliveries, uploads; hanging calls let go."""
        self.log.reset()
        self.faults.clear()
        self.latencies.clear()
        self.deliveries.clear()
        self.uploads.clear()
        self.release()
        self._begin()

    def release(self) -> None:
        """Let go of all calls that hang."""
        self.released.set()
        self.released = asyncio.Event()

    def _begin(self) -> None:
        self.personas = {name: Persona(name) for key, name in self.keys.items() if not _is_token(key)}
        self.characters = {name: Character(name) for key, name in self.keys.items() if _is_token(key)}
        for service, latency in self.latency.items():
            self.latencies.set(latency, service)


def _is_token(key: str) -> bool:
    return key.startswith("ftc_")
