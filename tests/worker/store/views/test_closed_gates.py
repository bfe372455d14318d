"""Which gate a conversation waits for: one that only a person opens comes before those that open by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Gate
from worker.store import Store
from worker.store.views.closed_gates import closed, in_the_way, is_held_for_all
from worker.store.views.situation import Situation
from worker.store.views.situation import situation as read_situation

LEAD = Conversation("ava", "@lead")
NOW = 1_000_000
LATER = str(NOW + 5000)


@pytest.fixture
def situation(store: Store) -> Callable[..., Situation]:
    """A lead waits for the first answer. Named values replace what is so; ``gates``: raw fields."""
    now = read_situation(store.redis, store.keys, LEAD, "dev")

    def make(**other: Any) -> Situation:
        return replace(
            now, **{"now": NOW, "kind": "inbound_chat", "waiting": 1, "gates": {}, "lead_wrote": False, **other}
        )

    return make


@pytest.mark.parametrize(
    ("gates", "other", "gate"),
    [
        ({}, {}, None),
        ({"paused": "why", "circuit_until": LATER}, {}, Gate.PAUSED),
        ({"quarantined": "key_refused", "hold_until": LATER}, {}, Gate.QUARANTINED),
        ({"hold_until": LATER, "circuit_until": LATER}, {}, Gate.HOLD),
        ({"hold_until": str(NOW)}, {}, None),
        ({"circuit_until": LATER}, {}, Gate.CIRCUIT),
        ({"credits_until": LATER}, {}, Gate.CREDITS),
        ({"credits_until": LATER}, {"started": True}, None),
        ({"credits_until": LATER, "credits_reason": "credits_out leads=all"}, {"started": True}, Gate.CREDITS),
        ({"outreach": "why"}, {}, None),
        ({"outreach": "why"}, {"kind": "ai_opener"}, Gate.OUTREACH),
        ({"outreach": "why"}, {"kind": "ai_opener", "lead_wrote": True}, None),
        ({"channel_until": LATER}, {}, None),
        ({"channel_until": LATER}, {"replied": True}, Gate.CHANNEL),
        ({"paused": "why"}, {"replied": True}, None),
        ({"circuit_until": LATER}, {"kind": "pulled_follow_up"}, None),
        ({"outreach": "why", "circuit_until": LATER}, {"kind": "pulled_follow_up"}, Gate.OUTREACH),
        ({"credits_until": LATER}, {"kind": "money_event"}, None),
    ],
)
def test_the_gate_in_the_way(
    situation: Callable[..., Situation], gates: dict[str, str], other: dict[str, Any], gate: Gate | None
) -> None:
    assert in_the_way(situation(gates=gates, **other)) == gate


@pytest.mark.parametrize(
    ("reason", "gates", "started", "for_all"),
    [
        ("persona_unavailable status=503", {"circuit_until": LATER}, False, True),
        ("persona_unavailable status=503", {}, False, False),
        ("credits_out", {"credits_until": LATER}, False, True),
        ("credits_out", {"credits_until": LATER}, True, False),
        ("credits_out", {"credits_until": LATER, "credits_reason": "credits_out leads=all"}, True, True),
        ("pacing bubble=2 of=3", {"circuit_until": LATER}, False, False),
    ],
)
def test_what_held_one_conversation_may_hold_all_by_now(
    situation: Callable[..., Situation], reason: str, gates: dict[str, str], started: bool, for_all: bool
) -> None:
    assert is_held_for_all(situation(hold_reason=reason, gates=gates, started=started)) is for_all


def test_each_closed_gate_has_its_reason() -> None:
    fields = {"paused": "why", "hold_until": LATER, "hold_reason": "slow", "circuit_until": LATER, "outreach": "bad"}
    assert closed(fields, NOW) == {Gate.PAUSED: "why", Gate.HOLD: "slow", Gate.CIRCUIT: "", Gate.OUTREACH: "bad"}
