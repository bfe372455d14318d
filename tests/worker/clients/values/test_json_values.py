"""What a value of JSON holds."""

from __future__ import annotations

from typing import Any

from worker.clients.values.json_values import texts_in


def test_the_texts_of_a_value_are_found_at_any_depth_without_keys() -> None:
    value: Any = {"key": ["a", {"other": ("b", 7, None, True)}], "last": "c"}
    for _ in range(5000):
        value = [value]
    assert sorted(texts_in(value)) == ["a", "b", "c"]
    assert list(texts_in("alone")) == ["alone"]
    assert list(texts_in(None)) == []
