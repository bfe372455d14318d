"""Gates that open when a call succeeds, of a persona (``circuit``, ``credits``) and of a channel (``channel``).

While such a gate is closed its conversations wait in order, and one at each interval tries the upstream:

    close      the gate is written to every shard; its owner's home shard gets the errand "probe"
    begin      finds the gate closed and puts the conversation among those who wait, the longest waiting first
    errand     is due at each interval, whatever became of the last try; ``let_one_try`` picks a conversation
    open       a try succeeded: the errand "open" opens the other shards and wakes all who wait

Tries rotate: a conversation that has tried comes after all others. So one message that is the cause of its own
failures delays no other one for long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from redis import Redis

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Gate
from worker.store.faces.face import Words
from worker.store.keys import Keys, Shard
from worker.store.redis.scripts import Scripts

_PROBED = (Gate.CIRCUIT, Gate.CREDITS, Gate.CHANNEL)

FIELDS: dict[str, tuple[str, ...]] = {
    **{gate.value: (gate.value,) for gate in (Gate.PAUSED, Gate.QUARANTINED, Gate.OUTREACH)},
    Gate.HOLD.value: ("hold_until", "hold_reason"),
    **{
        gate.value: tuple(f"{gate}_{part}" for part in ("until", "interval", "reason", "failed_by")) for gate in _PROBED
    },
}

# An opening that is not finished after this time is finished by another process.
_FINISH_MS = 5_000
# This number of waiting conversations is looked at to find one that can try now.
_LOOKS = 5
_WAKE_AT_ONCE = 1000


class Owner(NamedTuple):
    """Whose gate it is: a persona, or a channel by the name of its environment."""

    kind: Literal["persona", "channel"]
    name: str

    def state(self, shard: Shard) -> str:
        """The hash of its gates in a shard."""
        return shard.persona(self.name) if self.kind == "persona" else shard.channel(self.name)


def owner_of(gate: str, name: str) -> Owner:
    """The owner of a gate by its name."""
    return Owner("channel" if gate == Gate.CHANNEL else "persona", name)


class Gates:
    """Closes and opens gates, and lets one conversation at a time try them. Every method may raise ``StoreError`` and
    may be called again with the same values."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, grace_ms: int) -> None:
        self._redis = redis
        self._keys = keys
        self._gate = scripts.gate
        self._open = scripts.open
        self._probe = scripts.probe
        self._wake = scripts.wake
        self._grace_ms = grace_ms

    def close(
        self,
        owner: Owner,
        gate: Gate,
        seconds: float,
        reason: str,
        *,
        longest_seconds: float | None = None,
        failed_by: str = "",
    ) -> bool:
        """Close a gate: ``hold`` for so long, those that tries open until ``open``, with a try each ``seconds``; those
        that only a person opens (``seconds`` 0) until ``open``.

        ``longest_seconds``: each failed try doubles the interval up to this. ``failed_by``: token of such a try.
        Returns whether this call closed it.
        """
        longest = "" if longest_seconds is None else int(longest_seconds * 1000)
        home = self._keys.home(owner.name)
        # The home shard first: the errand that opens the gate again must not be missing.
        interval_ms = math.ceil(seconds * 1000)

        def close(shard: Shard) -> Words:
            return self._gate.call(
                shard,
                gates=owner.state(shard),
                gate=str(gate),
                interval_ms=interval_ms,
                longest_ms=longest,
                reason=reason,
                token=failed_by,
                owner=owner.name if shard == home else "",
            )

        _, closed = self._gate.send(close(home))
        self._gate.many([close(shard) for shard in self._keys.shards if shard != home])
        return bool(closed)

    def open(self, owner: Owner, gate: str) -> None:
        """Open a gate and look at everything that waited for it, the longest waiting first.

        Once the home shard knows, another process finishes what this one did not.
        """
        home = self._keys.home(owner.name)
        self._open.run(
            home, gates=owner.state(home), gate=gate, owner=owner.name, finish_ms=_FINISH_MS, fields=FIELDS[gate]
        )
        self.finish_opening(owner, gate)

    def finish_opening(self, owner: Owner, gate: str) -> None:
        """Open the other shards and wake all who wait, unless the gate has been closed again meanwhile."""
        home = self._keys.home(owner.name)
        if not self._redis.hexists(owner.state(home), FIELDS[gate][0]):
            with self._redis.pipeline(transaction=False) as pipeline:
                for shard in self._keys.shards:
                    pipeline.hdel(owner.state(shard), *FIELDS[gate])
                pipeline.execute()
            if gate in _PROBED:
                self._wake_waiting(owner, gate)
            else:
                self.wake(owner.name)
        self._redis.zrem(home.errands, f"open {gate} {owner.name}")

    def let_one_try(self, owner: Owner, gate: str, seconds: float) -> Conversation | None:
        """Give the right to try a closed gate to the conversation that waits longest, and return it: ring for it.

        None: no waiting conversation can try. ``seconds``: its turn has to begin within this time.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zrange(shard.waiting(gate, owner.name), 0, _LOOKS - 1, withscores=True)
            answers = pipeline.execute()
        found = zip(self._keys.shards, answers, strict=True)
        waiting = sorted((since, name) for _, names in found for name, since in names)
        for _, name in waiting[:_LOOKS]:
            conversation = Conversation.of_name(name)
            keys = self._keys.conversation(conversation)
            waits = keys.shard.waiting(gate, owner.name)
            try_ms = int(seconds * 1000)
            if self._probe.run(keys, waiting=waits, name=name, gate=gate, try_ms=try_ms, grace_ms=self._grace_ms):
                return conversation
        return None

    def succeeded(self, owner: Owner, at: int) -> None:
        """A call to the owner's upstream succeeded at ``at`` (milliseconds of the store's clock)."""
        self._redis.hset(owner.state(self._keys.home(owner.name)), "succeeded_at", at)

    def succeeded_at(self, owner: Owner) -> int:
        """When a call to the owner's upstream last succeeded: milliseconds, some seconds late; 0 = not known."""
        found: str | None = self._redis.hget(owner.state(self._keys.home(owner.name)), "succeeded_at")  # type: ignore[assignment]
        return int(found or 0)

    def of(self, owner: Owner) -> dict[str, str]:
        """The closed gates of an owner: raw fields. Empty when all are open."""
        fields: dict[str, str] = self._redis.hgetall(owner.state(self._keys.home(owner.name)))  # type: ignore[assignment]
        closed = {field for gate in FIELDS.values() for field in gate}
        return {field: value for field, value in fields.items() if field in closed}

    def wake(self, persona: str, held_for: str = "") -> int:
        """Make every waiting conversation of a persona due now, the longest waiting first. Returns how many.

        ``held_for``: those that are held for this reason, too; others that are held stay so.
        """
        woken = 0
        for shard in self._keys.shards:
            scan = self._redis.zscan_iter(shard.agenda, match=f"{persona}:*", count=1000)
            woken += self._wake_all(shard, [str(name) for name, _ in scan], held_for)
        return woken

    def _wake_waiting(self, owner: Owner, gate: str) -> None:
        for shard in self._keys.shards:
            waiting = shard.waiting(gate, owner.name)
            names: list[str] = self._redis.zrange(waiting, 0, -1)  # type: ignore[assignment]
            self._wake_all(shard, names, "")
            # A conversation that begins now finds the gate open.
            if names:
                self._redis.zrem(waiting, *names)

    def _wake_all(self, shard: Shard, names: Sequence[str], held_for: str) -> int:
        woken = 0
        for start in range(0, len(names), _WAKE_AT_ONCE):
            woken += int(self._wake.run(shard, held_for=held_for, names=names[start : start + _WAKE_AT_ONCE]))
        return woken
