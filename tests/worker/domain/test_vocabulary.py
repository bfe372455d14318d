"""The shared words: one table for the kinds of event, the same for Python, for scripts and for the settings."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from config.sections import Unknown, Validity
from worker.domain.events import StoredEvent
from worker.domain.vocabulary import FATES, KINDS, OUTREACH, TURNS, Fate, Kind, is_outreach, rules_of
from worker.store.redis.lua_words import words


def test_each_kind_has_one_row_and_an_event():
    events = get_args(get_args(StoredEvent)[0])
    assert list(KINDS) == list(get_args(Kind)) == [event.model_fields["kind"].default for event in events]


@pytest.mark.parametrize(
    "kind", [kind for kind, rules in KINDS.items() if not rules.only_told and not rules.by_operator]
)
def test_each_row_reads_the_settings_of_its_own_kind(kind):
    settings = kind.removeprefix("pulled_")
    marked = Validity(**{f"{settings}_seconds": 4711.0})
    assert rules_of(kind).valid_seconds(marked) == 4711.0
    assert rules_of(kind).unknown(Unknown()) == getattr(Unknown(), settings)


@pytest.mark.parametrize(
    ("kind", "lane"),
    [
        ("inbound_chat", TURNS),
        ("event_trigger", TURNS),
        ("ai_opener", OUTREACH),
        ("follow_up", OUTREACH),
        ("pulled_follow_up", OUTREACH),
        ("money_event", TURNS),
        ("operator_message", TURNS),
        ("a kind of a newer release", TURNS),
    ],
)
def test_the_lane_of_a_kind(kind, lane):
    assert rules_of(kind).lane == lane


def test_scripts_know_who_speaks_first_from_the_same_table():
    assert 'return kind == "ai_opener" or kind == "follow_up"' in words()


def test_what_is_only_told_never_grows_old_and_needs_no_consent():
    assert [kind for kind, rules in KINDS.items() if rules.only_told] == ["money_event"]
    assert rules_of("money_event").valid_seconds(Validity()) == math.inf
    assert rules_of("money_event").unknown(Unknown(event_trigger="dead_letter")) == "ask_again"
    assert not is_outreach("money_event")


def test_what_an_operator_says_asks_nobody_and_is_no_outreach():
    assert [kind for kind, rules in KINDS.items() if rules.by_operator] == ["operator_message"]
    rules = rules_of("operator_message")
    assert (rules.asks, rules.enqueued, rules.valid_seconds(Validity())) == (False, False, math.inf)
    assert not is_outreach("operator_message")


def test_all_fates_are_told_apart():
    assert get_args(Fate) == FATES
