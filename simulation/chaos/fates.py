"""What became of the events of a run, by the journals in the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from simulation.judge.log import Lead
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import KINDS, rules_of
from worker.store import Store

_AT_ONCE = 500


class Fates(NamedTuple):
    """``of_leads``: of each conversation the events that have ended, in the order of acceptance, with their fates.
    ``by_operators``: events that operators said, which go out before all that waits."""

    of_leads: Mapping[Lead, Sequence[tuple[str, str]]]
    by_operators: Collection[tuple[Lead, str]]


def fates(store: Store) -> Fates:
    """Read them all. Raises ``StoreError``."""
    found: dict[Lead, list[tuple[int, str, str]]] = {}
    by_operators: set[tuple[Lead, str]] = set()
    for (lead, event_id), (fate, number, kind) in _journals(store):
        if fate:
            found.setdefault(lead, []).append((int(number or 0), event_id, fate))
        if kind in KINDS and rules_of(kind).by_operator:
            by_operators.add((lead, event_id))
    of_leads = {lead: [(event, fate) for _, event, fate in sorted(ended)] for lead, ended in found.items()}
    return Fates(of_leads, by_operators)


def _journals(store: Store) -> Iterator[tuple[tuple[Lead, str], tuple[str, str, str]]]:
    keys = sorted({str(key) for key in store.redis.scan_iter(match="parley:{*}:journal:*", count=_AT_ONCE)})
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        with store.redis.pipeline(transaction=False) as pipeline:
            for key in some:
                pipeline.hmget(key, "fate", "seq", "kind")
            for key, fields in zip(some, pipeline.execute(), strict=True):
                event_id, _, name = key.partition(":journal:")[2].partition(" ")
                persona, target = Conversation.of_name(name)
                fate, number, kind = (value or "" for value in fields)
                yield ((persona, target), event_id), (fate, number, kind)
