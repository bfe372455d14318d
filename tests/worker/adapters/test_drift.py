"""Names of what answers have beyond the contract: bounded, safe to show, and never content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from worker.adapters.drift import Drift
from worker.adapters.tally import Tally
from worker.clients.fluidtalk.character_contract import Exchange
from worker.observability import metrics


class Kept:
    """What was handed over."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __call__(self, counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def tally(kept: Kept) -> Tally:
    return Tally(kept)


@pytest.fixture
def drift(tally: Tally) -> Drift:
    return Drift(tally)


def chat(data: Any, *said: str) -> Exchange:
    return Exchange("/chat", 200, data, said)


def counted(name: str) -> float:
    labels = {"what": "field", "name": name}
    return metrics.worker_registry().get_sample_value("parley_contract_unknown_total", labels) or 0.0


def test_each_answer_counts_a_name_once(drift: Drift, tally: Tally, kept: Kept) -> None:
    before = counted("bubble.tone")
    for _ in range(3):
        drift.watch(chat({"bubbles": [{"text": "a", "tone": 1}, {"text": "b", "tone": 2}]}))
    tally.write()
    tally.write()
    assert kept.counts == {"field bubble.tone": 3}
    assert counted("bubble.tone") == before + 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"a sentence of the persona": 1}, ()),
        ({"x" * 41: 1}, ()),
        ({"ключ": 1}, ()),
        ({"<script>": 1}, ()),
        ({'a"} 1\nparley_up': 1}, ()),
        ({"": 1}, ()),
        ({"john_doe": 1}, ("john_doe",)),
        ({"history_john_doe": 1}, ("John_Doe",)),
        ({"doe": 1}, ("john_doe", "hi")),
        ({"secret": 1}, ("john", "my Secret, please")),
        ({"my_secret": 1}, ("john", "my secret: please")),
        ({"ftc_live_1.2": 1}, ()),
    ],
)
def test_a_name_that_may_hold_content_is_not_shown(
    drift: Drift, tally: Tally, kept: Kept, data: dict[str, Any], said: tuple[str, ...]
) -> None:
    drift.watch(chat(data, *said))
    tally.write()
    assert kept.counts == {"field chat.unnamed": 1}


@pytest.mark.parametrize("reason", ["The lead john wrote: hello", "hello", "x" * 1000])
def test_a_reason_that_may_hold_content_is_not_shown(drift: Drift, tally: Tally, kept: Kept, reason: str) -> None:
    drift.watch(chat({"silent": reason}, "john", "hello"))
    tally.write()
    assert kept.counts == {"reason silent.unnamed": 1}


def test_a_reason_made_of_a_word_that_was_said_is_not_shown(drift: Drift, tally: Tally, kept: Kept) -> None:
    drift.watch(chat({"silent": "is_pregnant"}, "john", "I am pregnant"))
    drift.watch(chat({"silent": "too_dark"}, "john", "I am pregnant"))
    tally.write()
    assert kept.counts == {"reason silent.unnamed": 1, "reason silent.too_dark": 1}


def test_a_long_message_does_not_hide_ordinary_names(drift: Drift, tally: Tally, kept: Kept) -> None:
    drift.watch(chat({"shared_context": 1, "brand_voice": 2}, "john", "hi, are you and Brand there? I have no context"))
    tally.write()
    assert kept.counts == {"field chat.shared_context": 1, "field chat.brand_voice": 1}


def test_the_number_of_names_is_bounded(drift: Drift, tally: Tally, kept: Kept) -> None:
    for number in range(500):
        drift.watch(chat({f"field_{number}": 1}))
    drift.watch(chat({f"other_{number}": 1 for number in range(100_000)}))
    tally.write()
    assert len(kept.counts) == 51
    assert kept.counts["field unnamed"] == 450 + 100
