"""How the demo measures speed."""

from __future__ import annotations

import pytest

from simulation.demo.speed import Speed, measure
from simulation.judge.log import Sent
from simulation.upstreams.call_log import Call


def ask(message, start, end):
    values = {"persona": "ava", "target": "@maya", "acted": True, "fields": {"message": message}}
    return Call(service="fluidtalk", method="POST", path="/chat", start_wall=start, end_wall=end, **values)


def send(*texts, at, acted=True):
    response = [{"type": "text", "text": f"You said: {text}"} for text in texts]
    return Call(service="captivate", method="POST", path="/", fields={"response": response}, acted=acted, end_wall=at)


def test_own_time_is_what_neither_the_settle_time_nor_the_persona_took():
    sent = [Sent("ava", "@maya", "one", 10.0), Sent("ava", "@maya", "two", 10.5)]
    speed = measure(sent, [ask("one\ntwo", 12.0, 12.5), send("one", "two", at=12.75)], settle_seconds=1.0)
    assert speed.to_answer == (2.75, 2.25)
    assert speed.own == (0.75,)
    assert speed.busy == 2.75
    assert speed.turns_per_second == pytest.approx(1 / 2.75)


def test_the_first_delivery_counts_and_a_refused_one_does_not():
    sent = [Sent("ava", "@maya", "one", 10.0)]
    calls = [ask("one", 10.0, 10.0), send("one", at=11.0, acted=False), send("one", at=12.0), send("one", at=13.0)]
    assert measure(sent, calls, 0.0).to_answer == (2.0,)


def test_other_leads_and_messages_without_an_answer_are_left_out():
    sent = [Sent("ava", "@maya", "one", 10.0), Sent("ava", "@maya", "never", 11.0)]
    calls = [ask("one", 10.0, 10.5), send("one", at=11.0), ask("other", 1.0, 2.0), send("other", at=3.0)]
    speed = measure(sent, calls, 0.0)
    assert (len(speed.to_answer), len(speed.own)) == (1, 1)


def test_nothing_measured_is_no_speed():
    assert measure([], [], 1.0) == Speed()
    assert Speed().turns_per_second == 0.0


def test_speeds_add_up():
    assert Speed((1.0,), (0.5,), 2.0) + Speed((3.0,), (1.5,), 4.0) == Speed((1.0, 3.0), (0.5, 1.5), 6.0)
