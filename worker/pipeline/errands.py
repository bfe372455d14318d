"""Does what is due for a persona or the channel: tries a closed gate, finishes its opening, passes on free places."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import TURNS
from worker.store import Store
from worker.store.keys import Shard
from worker.store.personas.errands import Errand
from worker.store.personas.gates import owner_of

_log = logging.getLogger("parley.upkeep")

# A conversation that was chosen to try a gate has this time to begin its turn: a quiet moment, and a busy worker.
_TRY_SECONDS = 15.0


class Errands:
    """Any number of processes may do this at once; each errand is done by one of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, shards: Sequence[Shard] | None = None) -> int:
        """Do all that is due. Returns how many errands. ``shards``: those with errands; None = all.

        Raises ``StoreError``; what was not done stays due.
        """
        errands = self._store.errands.take(shards)
        for errand in errands:
            self._do(errand)
        return len(errands)

    def _do(self, errand: Errand) -> None:
        owner = owner_of(errand.gate, errand.owner)
        match errand.what:
            case "probe":
                chosen = self._store.gates.let_one_try(owner, errand.gate, _TRY_SECONDS)
                if chosen:
                    self._store.doorbells.ring([(chosen, TURNS)])
            case "open":
                self._store.gates.finish_opening(owner, errand.gate)
            case "consent":
                self._store.consents.tell(Conversation.of_name(errand.owner))
            case "places":
                self._store.places.look(errand.owner)
            case other:
                # An errand of a newer release; its own processes do it.
                _log.debug("errand of an unknown kind left: %s", other)
