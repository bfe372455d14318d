"""The gates of a persona: paused, quarantined, throttled, circuit open, out of credits, outreach stopped.

A gate is known to every shard, so that ``begin`` finds it beside the conversation; it is written to all shards at once.
While a gate is closed, events keep arriving and waiting in order.
"""

from __future__ import annotations

from redis import Redis

from config.settings import Settings
from worker.conversation import Conversation
from worker.store.connection import clock_ms
from worker.store.keys import Keys
from worker.store.leases import Gate
from worker.store.scripts import Scripts

_FIELDS: dict[str, tuple[str, ...]] = {
    "paused": ("paused",),
    "quarantined": ("quarantined",),
    "hold": ("hold_until", "hold_reason"),
    "circuit": ("circuit_until", "circuit_interval", "circuit_reason"),
    "credits": ("credits_until", "credits_interval", "credits_reason"),
    "outreach": ("outreach",),
}


class Personas:
    """Closes and opens the gates of personas."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, settings: Settings) -> None:
        self._redis = redis
        self._keys = keys
        self._gate = scripts.gate
        self._wake = scripts.wake
        self._gates = settings.gates
        self._admit = scripts.admit
        self._call_ms = int((settings.fluidtalk.total_seconds + 5) * 1000)
        self._bounds = {
            name: (int(1000 / persona.calls_per_second) if persona.calls_per_second else 0, persona.calls_at_once or 0)
            for name, persona in settings.personas.items()
            if persona.calls_per_second or persona.calls_at_once
        }
        self._probe_ms = int((settings.gates.probe_seconds + settings.fluidtalk.total_seconds) * 1000)

    def pause(self, persona: str, reason: str) -> None:
        """No new call for this persona until ``open_gate(persona, "paused")``. Turns under way finish."""
        self._set(persona, "paused", reason or "by an operator")

    def quarantine(self, persona: str, reason: str) -> None:
        """The key is refused: no further call until a person opens the gate again."""
        self._set(persona, "quarantined", reason)

    def stop_outreach(self, persona: str, reason: str) -> None:
        """Openers and follow-ups wait until a person opens the gate "outreach"; leads who write are answered."""
        self._set(persona, "outreach", reason)

    def hold(self, persona: str, seconds: float, reason: str) -> None:
        """No call with this key for so long (Retry-After)."""
        self._close(persona, "hold", seconds, reason, probed=False)

    def close_for_probing(self, persona: str, gate: Gate, reason: str, *, probed: bool) -> None:
        """Close ``circuit`` or ``credits``: one call probes per interval. ``probed``: this was such a call."""
        self._close(persona, gate, self._gates.probe_seconds, reason, probed=probed)
        if probed:
            self._redis.delete(self._keys.home(persona).probe(persona, gate))

    def open_gate(self, persona: str, gate: str) -> None:
        """Open a gate and look at everything that waited for it, in order of waiting."""
        if gate == "outreach":
            # Openers that have begun are judged, also those that end at this moment: the count starts again, first of
            # all. Then the home shard, which decides when an opener closes the gate at the same time.
            home = self._keys.home(persona)
            self._redis.hset(home.ramp(persona)[0], "resumed_at", clock_ms(self._redis))
            self._redis.delete(home.outcomes(persona))
            self._redis.hdel(home.persona(persona), *_FIELDS[gate])
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.hdel(shard.persona(persona), *_FIELDS[gate])
            pipeline.delete(self._keys.home(persona).probe(persona, gate))
            pipeline.execute()
        self.wake(persona)

    def claim_probe(self, persona: str, gate: Gate, token: str) -> bool:
        """The right to probe a closed gate: one caller has it until its call has ended, or could have."""
        key = self._keys.home(persona).probe(persona, gate)
        return bool(self._redis.set(key, token, nx=True, px=self._probe_ms)) or self._redis.get(key) == token

    def give_back_probe(self, persona: str, gate: Gate) -> None:
        """Whoever had the right to probe makes no call: another one may at once."""
        self._redis.delete(self._keys.home(persona).probe(persona, gate))

    def admit(self, conversation: Conversation, token: str) -> float:
        """Whether a call with the persona's key may be made now: 0.0, or seconds to wait.

        Bounded by ``calls_per_second`` and ``calls_at_once`` of the persona, all processes together; costs nothing
        when neither is set. Moments are handed out in the order of asking. A call that ends is ``released``; one whose
        process died frees its place after the longest call.
        """
        bounds = self._bounds.get(conversation.persona)
        if bounds is None:
            return 0.0
        keys = self._keys.home(conversation.persona).admission(conversation.persona)
        wait_ms: int = self._admit(keys, [conversation.name, token, *bounds, self._call_ms])
        return wait_ms / 1000

    def release(self, conversation: Conversation, token: str) -> None:
        """The admitted call has ended."""
        if conversation.persona in self._bounds:
            _, _, running = self._keys.home(conversation.persona).admission(conversation.persona)
            self._redis.zrem(running, token)

    def gates(self, persona: str) -> dict[str, str]:
        """The closed gates of a persona: raw fields, as any shard knows them. Empty when all are open."""
        fields: dict[str, str] = self._redis.hgetall(self._keys.home(persona).persona(persona))  # type: ignore[assignment]
        return fields

    def wake(self, persona: str, held_for: str = "") -> int:
        """Make every waiting conversation of a persona due now, the longest waiting first. Returns how many.

        ``held_for``: those that are held for this reason, too; others that are held stay so.
        """
        woken = 0
        for shard in self._keys.shards:
            scan = self._redis.zscan_iter(shard.agenda, match=f"{persona}:*", count=1000)
            names = [str(name) for name, _ in scan]
            keys = [
                shard.agenda,
                shard.conversation_prefix,
                shard.inbox_prefix,
                shard.journal_prefix,
                shard.ready,
            ]
            for start in range(0, len(names), 1000):
                woken += int(self._wake(keys, [held_for, *names[start : start + 1000]]))
        return woken

    def _set(self, persona: str, field: str, reason: str) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.hset(shard.persona(persona), field, reason)
            pipeline.execute()

    def _close(self, persona: str, gate: Gate, seconds: float, reason: str, *, probed: bool) -> None:
        arguments = [gate, int(seconds * 1000), int(self._gates.probe_limit_seconds * 1000), reason, int(probed)]
        self._gate.many([([shard.persona(persona)], arguments) for shard in self._keys.shards])
