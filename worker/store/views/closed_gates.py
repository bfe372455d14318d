"""Which gates are closed, and which one a conversation waits for: pure."""

from __future__ import annotations

from collections.abc import Mapping

from worker.domain.diagnoses import gate_behind, stops_all_leads
from worker.domain.vocabulary import Cause, Gate, rules_of
from worker.store.views.situation import Situation

# Why a conversation waits, for those who do not know gates.
CAUSES = {
    Gate.PAUSED: Cause.PERSONA_PAUSED,
    Gate.QUARANTINED: Cause.KEY_REFUSED,
    Gate.HOLD: Cause.PERSONA_THROTTLED,
    Gate.CIRCUIT: Cause.PERSONA_UNAVAILABLE,
    Gate.CREDITS: Cause.CREDITS_OUT,
    Gate.CHANNEL: Cause.CHANNEL_CLOSED,
    Gate.OUTREACH: Cause.OUTREACH_STOPPED,
}
BY_A_PERSON = (Gate.PAUSED, Gate.QUARANTINED)


def closed(fields: Mapping[str, str], now: int) -> dict[Gate, str]:
    """The gates that these raw fields say are closed, each with its reason as the store keeps it. ``now``: store's
    clock, ms."""
    found = {name: fields[name] for name in BY_A_PERSON if name in fields}
    if until_of(fields, Gate.HOLD) > now:
        found[Gate.HOLD] = fields.get("hold_reason", "")
    for name in (Gate.CIRCUIT, Gate.CREDITS, Gate.CHANNEL):
        if f"{name}_until" in fields:
            found[name] = fields.get(f"{name}_reason", "")
    if Gate.OUTREACH in fields:
        found[Gate.OUTREACH] = fields[Gate.OUTREACH]
    return found


def until_of(fields: Mapping[str, str], gate: Gate) -> int:
    """When a closed gate opens or is tried next: milliseconds; 0 = when a person opens it."""
    return int(fields.get(f"{gate}_until", "0"))


def in_the_way(now: Situation) -> Gate | None:
    """The gate that keeps the head of a conversation from its next call; None = no gate does."""
    found = closed(now.gates, now.now)
    if now.replied:
        return Gate.CHANNEL if Gate.CHANNEL in found else None
    by_a_person = next((gate for gate in BY_A_PERSON if gate in found), None)
    if by_a_person:
        return by_a_person
    if not rules_of(now.kind).asks:
        # It makes no call: only what a person opens keeps it.
        return Gate.OUTREACH if now.outreach and Gate.OUTREACH in found else None
    if Gate.HOLD in found:
        return Gate.HOLD
    if now.outreach and Gate.OUTREACH in found:
        return Gate.OUTREACH
    if Gate.CIRCUIT in found:
        return Gate.CIRCUIT
    stops = Gate.CREDITS in found and (not now.started or stops_all_leads(found[Gate.CREDITS]))
    return Gate.CREDITS if stops and not rules_of(now.kind).only_told else None


def is_held_for_all(now: Situation) -> bool:
    """Whether what the last attempt found has meanwhile closed a gate: then the gate is the reason, one for all."""
    gate, found = gate_behind(now.hold_reason), closed(now.gates, now.now)
    if gate is Gate.CREDITS and now.started and not stops_all_leads(found.get(gate, "")):
        return False
    return gate in found
