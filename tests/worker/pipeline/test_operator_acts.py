"""What an operator does is done, and is written down with its name."""

from __future__ import annotations

from worker.domain.vocabulary import Gate
from worker.pipeline.operator_acts import OperatorActs
from worker.store.personas.gates import owner_of


def test_gates_of_a_persona_and_of_the_channel_are_opened_in_one_act(store):
    channel = owner_of(Gate.CHANNEL, "dev")
    store.personas.pause("ava", "why")
    store.personas.close_for_probing("ava", Gate.CIRCUIT, "persona_unavailable")
    store.gates.close(channel, Gate.CHANNEL, 60, "channel_unavailable")
    OperatorActs(store, "kim").open_gates("ava", [Gate.PAUSED, Gate.CHANNEL], channel)
    assert not any(field.startswith(("paused", "channel")) for field in store.personas.gates("ava"))
    assert store.gates.of(channel) == {}
    assert "circuit_until" in store.personas.gates("ava"), "it was not named"
