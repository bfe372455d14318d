"""What goes back to the lead, as it is stored until it is delivered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.settings import Escalation
from worker.domain.reply import Reply, farewell


@pytest.mark.parametrize("fate", ["sealed", "dead"])
def test_the_policy_of_silence_makes_no_reply(fate):
    assert farewell(fate, "why", Escalation()) is None


@pytest.mark.parametrize(("fate", "mark"), [("sealed", "sealed"), ("dead", "escalated")])
def test_a_farewell_ends_as_what_it_says_goodbye_to(fate, mark):
    reply = farewell(fate, "why", Escalation(action="escalate_to_human"), "what the server said")
    assert (reply.fate, reply.reason, reply.mark, reply.detail) == (fate, "why", mark, "what the server said")


def test_a_reply_survives_the_journal():
    reply = Reply(("a", "ü🔥"), "https://x/p.jpg", {"action": "escalate_to_human"}, "sealed", "why", "sealed", "d")
    paced = replace(reply, pauses=(0.25, 2.5))
    assert Reply.of_json(reply.to_json()) == reply
    assert Reply.of_json(paced.to_json()) == paced


def test_a_reply_that_is_not_paced_looks_as_it_did_before_there_was_pacing():
    assert "pauses" not in Reply(("a", "b")).to_json()
