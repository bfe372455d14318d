"""The name of a conversation, and the queue in which it waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import OUTREACH, TURNS, rules_of

PERSONAS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)
TARGETS = st.text(min_size=1, max_size=256)


def test_a_name_is_persona_and_target():
    assert Conversation("ava", "@john_doe").name == "ava:@john_doe"


@pytest.mark.parametrize("target", ["@john", "a:b", ":", "ava:@john", "two words", "ü🔥"])
def test_a_name_is_read_back_whatever_the_target_looks_like(target):
    conversation = Conversation("ava", target)
    assert Conversation.of_name(conversation.name) == conversation


@given(PERSONAS, TARGETS)
def test_every_name_is_read_back(persona, target):
    assert Conversation.of_name(Conversation(persona, target).name) == (persona, target)


@given(PERSONAS, TARGETS, PERSONAS, TARGETS)
def test_two_conversations_never_share_a_name(persona, target, other_persona, other_target):
    same = (persona, target) == (other_persona, other_target)
    assert (Conversation(persona, target).name == Conversation(other_persona, other_target).name) is same


@pytest.mark.parametrize(
    ("kind", "lane"),
    [("inbound_chat", TURNS), ("event_trigger", TURNS), ("ai_opener", OUTREACH), ("follow_up", OUTREACH)],
)
def test_who_waits_for_an_answer_goes_first(kind, lane):
    assert rules_of(kind).lane == lane


def test_the_two_lanes_are_two_queues():
    assert TURNS != OUTREACH
