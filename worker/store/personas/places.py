"""Bounds on the calls with a persona's key, all processes together: calls in a second, calls at once.

A conversation that finds no place waits in line, the longest waiting first, and is woken when one is free. A place is a
token with an end, which the renewal of the lease moves: after a crash the place is free as soon as the lease is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redis import Redis

from config.personas import Persona
from config.sections import Agenda, Lease
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, stored
from worker.store.keys import Keys
from worker.store.queues.doorbells import Doorbells
from worker.store.redis.scripts import Scripts

# A conversation has this time to take the place that is kept for it.
_KEEP_MS = 10_000


@dataclass(frozen=True, slots=True)
class Admission:
    """``wait_seconds``: until the moment that is reserved for the call; 0 = go. ``in_line``: it is woken when a place
    is free."""

    wait_seconds: float
    in_line: bool = False


class Places:
    """Hands out moments and places; for a persona without bounds it costs nothing. Methods may raise ``StoreError``."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        doorbells: Doorbells,
        personas: Mapping[str, Persona],
        lease: Lease,
        agenda: Agenda,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._doorbells = doorbells
        self._admit = scripts.admit
        self._release = scripts.release
        self._renew = scripts.renew_places
        self._next = scripts.next
        self._lease_ms = lease.ttl_ms
        self._grace_ms = agenda.grace_ms
        self._bounds = {
            name: (int(1000 / persona.calls_per_second) if persona.calls_per_second else 0, persona.calls_at_once or 0)
            for name, persona in personas.items()
            if persona.calls_per_second or persona.calls_at_once
        }

    def bounded(self, persona: str) -> bool:
        """Whether calls with this persona's key are bounded at all."""
        return persona in self._bounds

    def admit(self, conversation: Conversation, token: str, since: int) -> Admission:
        """Whether a call with the persona's key may be made now. ``token``: names the turn. After a call
        that was admitted comes ``release``, and ``renew`` until then. ``since``: the time since when its head waits
        (milliseconds), which is its place in line."""
        bounds = self._bounds.get(conversation.persona)
        if bounds is None:
            return Admission(0.0)
        persona = conversation.persona
        interval_ms, most = bounds
        wait_ms, *kept = self._admit.run(
            self._keys.persona(persona),
            name=conversation.name,
            token=token,
            interval_ms=interval_ms,
            most=most,
            lease_ms=self._lease_ms,
            keep_ms=_KEEP_MS,
            persona=persona,
            since=since,
        )
        self._wake(persona, kept)
        return Admission(0.0, in_line=True) if wait_ms < 0 else Admission(wait_ms / 1000)

    def release(self, conversation: Conversation, token: str) -> None:
        """The admitted call has ended: its place is for the next in line."""
        self._wake(conversation.persona, self._give_back(conversation.persona, token))

    def look(self, persona: str) -> None:
        """Give places that have ended by themselves to the next in line."""
        self._wake(persona, self._give_back(persona, ""))

    def renew(self, calls: Iterable[tuple[str, str]]) -> None:
        """Move the end of the places of calls that are still being made: pairs of persona and token."""
        tokens: dict[str, list[str]] = {}
        for persona, token in calls:
            if self._most(persona):
                tokens.setdefault(persona, []).append(token)
        for persona, those in tokens.items():
            self._renew.run(self._keys.persona(persona), lease_ms=self._lease_ms, tokens=those)

    def _most(self, persona: str) -> int:
        return self._bounds.get(persona, (0, 0))[1]

    def take_if_kept(self, conversation: Conversation) -> None:
        """Wake a conversation that was just held in line, if a place was kept for it before its hold was stored."""
        running = self._keys.persona(conversation.persona).running
        if self._redis.zscore(running, f"for {conversation.name}") is not None:
            self._wake(conversation.persona, [conversation.name])

    def _give_back(self, persona: str, token: str) -> list[str]:
        most = self._most(persona)
        if not most:
            return []
        keys = self._keys.persona(persona)
        kept: list[str] = self._release.run(keys, token=token, most=most, keep_ms=_KEEP_MS, persona=persona)
        return kept

    def _wake(self, persona: str, names: list[str]) -> None:
        waiting, bells = deque(names), []
        while waiting:
            conversation = Conversation.of_name(waiting.popleft())
            keys = self._keys.conversation(conversation)
            answer = self._next.run(keys, name=keys.name, reason=stored(Cause.IN_LINE), grace_ms=self._grace_ms)
            if answer == "elsewhere":
                # It waits for something else, or for nothing any more: the place is for another one.
                waiting.extend(self._give_back(persona, f"for {conversation.name}"))
            elif answer != "busy":
                bells.append((conversation, answer))
        if bells:
            self._doorbells.ring(bells)
