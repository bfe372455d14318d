"""Learns from each call whether its upstream can be reached, closes its gate when it cannot, opens it when it can.

One noun for both upstreams: a persona (gate ``circuit``) and the channel (gate ``channel``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial

from config import sections
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, Gate, stored
from worker.pipeline.circuit_breaker import Circuit
from worker.store import Store, StoreError
from worker.store.personas.gates import Owner

_log = logging.getLogger("parley.gates")


class Reach:
    """Shared by all turns of a process. ``personas``, ``channel``: the names of the upstreams.

    No method raises when the store is unreachable: an upstream's answer must not be lost because a note about it
    cannot be stored.
    """

    def __init__(self, gates: sections.Gates, personas: Iterable[str], channel: str, store: Store) -> None:
        self._store = store
        self._circuit = Circuit(gates.circuit_failures)
        self._probe_seconds = gates.probe_seconds
        self._personas = {name: Owner("persona", name) for name in personas}
        self._channel = Owner("channel", channel)
        self._succeeded_at: dict[Owner, int] = {}
        self._unwritten: set[Owner] = set()

    def persona(self, name: str) -> Owner:
        """The upstream of a persona's calls."""
        return self._personas[name]

    @property
    def channel(self) -> Owner:
        """The upstream of all deliveries."""
        return self._channel

    def answered(self, owner: Owner, probe: str) -> None:
        """The upstream answered, whatever it said. ``probe``: the closed gate that the call tried, '' = none."""
        self._circuit.succeeded(_key(owner))
        if probe == _gate(owner):
            self.open(owner, probe)

    def succeeded(self, owner: Owner, at: int) -> None:
        """A call to the upstream succeeded, at ``at`` (milliseconds of the store's clock)."""
        if at > self._succeeded_at.get(owner, 0):
            # Two threads at once may leave the older time. The difference is too small to matter.
            self._succeeded_at[owner] = at
            self._unwritten.add(owner)

    def failed(self, owner: Owner, conversation: Conversation, begun_at: float, detail: str) -> None:
        """The upstream did not answer. ``begun_at``: monotonic time when the call began. ``detail``: which answer it
        gave, as ``worker.domain.decisions.answer_of`` returns it; '' = none."""
        if not self._circuit.failed(_key(owner), conversation.name, begun_at):
            return
        closed: list[bool] = []
        gate = _gate(owner)

        def close() -> None:
            closed.append(self._store.gates.close(owner, gate, self._probe_seconds, stored(Cause.NO_ANSWER, detail)))

        if_possible(close)
        if any(closed):
            _log.error(
                "gate closed: %s %s cannot be reached (%s). Its conversations wait; one call tries it every %.0f s.",
                *(owner.kind, owner.name, detail.removeprefix("text=") or Cause.NO_ANSWER, self._probe_seconds),
                extra={"persona": owner.name} if owner.kind == "persona" else None,
            )

    def open(self, owner: Owner, gate: str) -> None:
        """A call that tried a closed gate succeeded."""
        if_possible(lambda: self._store.gates.open(owner, gate))
        _log.warning("gate open: %s %s answers again (%s)", owner.kind, owner.name, gate)

    def last_success(self, owner: Owner) -> int:
        """When a call to the upstream last succeeded, as far as this process knows, in ms; 0 = not known."""
        stored: list[int] = []
        if_possible(lambda: stored.append(self._store.gates.succeeded_at(owner)))
        return max(self._succeeded_at.get(owner, 0), *stored, 0)

    def write(self) -> None:
        """Share successes with the other processes. Called every few seconds; costs nothing when there are none."""
        while self._unwritten:
            owner = self._unwritten.pop()
            if_possible(partial(self._store.gates.succeeded, owner, self._succeeded_at[owner]))


def if_possible(call: Callable[[], object]) -> None:
    """Make a call to the store whose failure only costs time."""
    try:
        call()
    except StoreError as error:
        _log.warning("store unreachable (%s): a gate, a limit or an image address was not noted", type(error).__name__)


def _gate(owner: Owner) -> Gate:
    return Gate.CIRCUIT if owner.kind == "persona" else Gate.CHANNEL


def _key(owner: Owner) -> str:
    return f"{owner.kind} {owner.name}"
