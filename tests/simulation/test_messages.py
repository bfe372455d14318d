"""The same messages for every contender, each of which the judge can tell apart."""

from __future__ import annotations

from simulation.messages import messages


def test_conversations_take_turns_in_bursts():
    targets = [target for _, target, _, _, _ in messages("x", 8, 2, burst=2)]
    assert targets == ["@lead-x-0", "@lead-x-0", "@lead-x-1", "@lead-x-1"] * 2


def test_every_text_is_used_once_and_another_stamp_shares_none():
    texts = [text for stamp in ("x", "y") for *_, text in messages(stamp, 50, 10)]
    assert len(set(texts)) == 100
