"""How long the doubles take to answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Self

from simulation.upstreams.call_log import SERVICES, Call, Service


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from a call's arrival to its answer: drawn evenly from ``low`` to ``high``, or fixed if they agree."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(f"a latency needs 0 <= low <= high, not {self.low:g} and {self.high:g}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "0.5" or "0.2:0.8". Raises ``ValueError`` for anything else."""
        low, _, high = text.partition(":")
        return cls(float(low), float(high or low))


_NONE = Latency(0.0, 0.0)
_Scope = tuple[Service, str | None, str | None]


class Latencies:
    """The latencies in force, the most particular first: of a conversation, of a persona, of a service.

    The draws come from one generator with a fixed start, so a run with the same calls in the same order is the same.
    """

    def __init__(self) -> None:
        self._by_scope: dict[_Scope, Latency] = {}
        self._random = random.Random(0)

    def set(
        self,
        latency: Latency,
        service: Service | None = None,
        persona: str | None = None,
        lead: str | None = None,
    ) -> None:
        """Put ``latency`` in force for all that is named; ``lead`` is a target or a session id."""
        for each in SERVICES if service is None else (service,):
            self._by_scope[(each, persona, lead)] = latency

    def clear(self) -> None:
        """Answer everything at once."""
        self._by_scope.clear()

    def draw(self, call: Call) -> float:
        """The seconds this call is to take."""
        latency = self._find(call)
        if latency.low == latency.high:
            return latency.low
        return self._random.uniform(latency.low, latency.high)

    def _find(self, call: Call) -> Latency:
        service, persona = call.service, call.persona
        lead = call.target if service == "fluidtalk" else call.session_id
        scopes: tuple[_Scope, ...] = (
            (service, persona, lead),
            (service, None, lead),
            (service, persona, None),
            (service, None, None),
        )
        return next((self._by_scope[scope] for scope in scopes if scope in self._by_scope), _NONE)
