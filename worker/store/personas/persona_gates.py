"""The gates of a persona: paused, quarantined, throttled, circuit open, out of credits, outreach stopped.

A gate is known to every shard, so that ``begin`` finds it beside the conversation; it is written to all shards at once.
While a gate is closed, events keep arriving and waiting in order.
"""

from __future__ import annotations

from redis import Redis

from config import sections
from worker.domain.vocabulary import Gate
from worker.store.keys import Keys
from worker.store.personas.gates import Gates, Owner
from worker.store.redis.connection import clock_ms


class PersonaGates:
    """Closes and opens the gates of personas."""

    def __init__(self, redis: Redis, keys: Keys, gates: Gates, rules: sections.Gates) -> None:
        self._redis = redis
        self._keys = keys
        self._gates = gates
        self._rules = rules

    def pause(self, persona: str, reason: str) -> None:
        """No new call for this persona until ``open_gate(persona, "paused")``. Turns under way finish."""
        self._set(persona, Gate.PAUSED, reason or "by an operator")

    def quarantine(self, persona: str, reason: str) -> None:
        """The key is refused: no further call until a person opens the gate again."""
        self._set(persona, Gate.QUARANTINED, reason)

    def hold(self, persona: str, seconds: float, reason: str) -> None:
        """No call with this key for so long (Retry-After)."""
        self._gates.close(Owner("persona", persona), Gate.HOLD, seconds, reason)

    def close_for_probing(self, persona: str, gate: Gate, reason: str, failed_by: str = "") -> bool:
        """Close ``circuit`` or ``credits`` until a call succeeds: one tries at each interval.

        ``failed_by``: token of such a try, which doubles the interval of ``credits``. True: this call closed the gate.
        """
        longest = self._rules.probe_limit_seconds if gate == Gate.CREDITS else None
        return self._gates.close(
            Owner("persona", persona),
            gate,
            self._rules.probe_seconds,
            reason,
            longest_seconds=longest,
            failed_by=failed_by,
        )

    def open_gate(self, persona: str, gate: str) -> None:
        """Open a gate and look at everything that waited for it, in order of waiting."""
        if gate == Gate.OUTREACH:
            # Openers that have begun are judged, also those that end at this moment: the count starts again, first of
            # all. Then the home shard, which decides when an opener closes the gate at the same time.
            keys = self._keys.persona(persona)
            self._redis.hset(keys.ramp, "resumed_at", clock_ms(self._redis))
            self._redis.delete(keys.outcomes)
        self._gates.open(Owner("persona", persona), gate)

    def gates(self, persona: str) -> dict[str, str]:
        """The closed gates of a persona: raw fields, as any shard knows them. Empty when all are open."""
        return self._gates.of(Owner("persona", persona))

    def wake(self, persona: str, held_for: str = "") -> int:
        """Make every waiting conversation of a persona due now, the longest waiting first. Returns how many.

        ``held_for``: those that are held for this reason, too; others that are held stay so.
        """
        return self._gates.wake(persona, held_for)

    def _set(self, persona: str, gate: Gate, reason: str) -> None:
        self._gates.close(Owner("persona", persona), gate, 0, reason)
