"""What became of the events of a run, by the journals in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from simulation.judge.log import Lead
from worker.domain.conversation import Conversation
from worker.store import Store

_AT_ONCE = 500


def fates(store: Store) -> Mapping[Lead, Sequence[tuple[str, str]]]:
    """Of each conversation the events that have ended, in the order of acceptance, with their fates.

    Raises ``StoreError``.
    """
    found: dict[Lead, list[tuple[int, str, str]]] = {}
    for (lead, event_id), fate, number in _journals(store):
        if fate:
            found.setdefault(lead, []).append((int(number or 0), event_id, fate))
    return {lead: [(event, fate) for _, event, fate in sorted(ended)] for lead, ended in found.items()}


def _journals(store: Store) -> Iterator[tuple[tuple[Lead, str], str, str]]:
    keys = sorted({str(key) for key in store.redis.scan_iter(match="parley:{*}:journal:*", count=_AT_ONCE)})
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        with store.redis.pipeline(transaction=False) as pipeline:
            for key in some:
                pipeline.hmget(key, "fate", "seq")
            for key, (fate, number) in zip(some, pipeline.execute(), strict=True):
                event_id, _, name = key.partition(":journal:")[2].partition(" ")
                persona, target = Conversation.of_name(name)
                yield ((persona, target), event_id), fate or "", number
