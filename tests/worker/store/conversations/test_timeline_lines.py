"""A line of the timeline says what was written, with any sign in it: scripts of each turn write its JSON by hand."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("odd", ['quote"', "back\\slash", 'both\\"', "brackets],[", "per%cent", "slash/"])
def test_ids_and_reasons_with_signs_of_json_are_noted_as_they_are(odd, store, accept, begin, conversation):
    assert accept(odd) == ["accepted"]
    grant = begin()
    assert store.steps.record(grant, '{"a": 1}').status == "holder"
    assert store.steps.settle(grant, "answered", f"{odd} ü\n\t").status == "settled"
    lines = [(moment.word, *moment.details) for moment in store.timeline.of(conversation)]
    assert lines == [
        ("accepted", "inbound_chat", odd),
        ("asking", 1, 1, 1),
        ("replied",),
        ("answered", f"{odd} ü\n\t", 1),
    ]


def test_a_second_ask_has_its_number_and_fence(store, accept, begin, conversation, let_lease_run_out):
    accept("m")
    begin()
    let_lease_run_out()
    begin()
    moments = [(moment.word, *moment.details) for moment in store.timeline.of(conversation)]
    assert moments[1:] == [("asking", 1, 1, 1), ("second ask", 2, 2, 1)]
