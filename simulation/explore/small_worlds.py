"""The small worlds that are taken through every order: two workers, two events, one fault, one act of an operator."""

from __future__ import annotations

from itertools import product

from simulation.explore.choices import CRASH, HAND_OVER, LOST, TWICE
from simulation.explore.world import Budget, Scenario
from worker.domain.conversation import Conversation

_LEAD = Conversation("ava", "@one")
_EVENTS = (
    ("inbound_chat", "inbound_chat"),
    ("event_trigger", "inbound_chat"),
    ("ai_opener", "inbound_chat"),
    ("follow_up", "stop"),
    ("inbound_chat", "stop"),
)
_ACTS = {
    "no act": (),
    "takeover": ("claim", "hand back joined", "hand back none"),
    "seal": ("seal",),
    "forget": ("forget",),
}
_FAULTS = {
    "crash": (CRASH, HAND_OVER),
    "lost answer": (LOST, "acts, answer lost"),
    "repeated script": (TWICE,),
}


def small_worlds(moves: int = 2) -> list[Scenario]:
    """Each pair of events with each act and each fault, the smallest first. ``moves``: how often time may pass."""
    found = []
    for (acts_name, acts), (fault_name, faults), events in product(_ACTS.items(), _FAULTS.items(), _EVENTS):
        found.append(
            Scenario(
                name=f"{' + '.join(events)}, {fault_name}, {acts_name}",
                leads=(_LEAD,),
                workers=2,
                events=tuple((kind, _LEAD) for kind in events),
                in_order=True,
                acts=acts,
                faults=faults,
                budget=Budget(events=2, faults=1, acts=min(2, len(acts)), moves=moves),
            )
        )
    return found
