"""Evaluates the expressions of our alerts on figures that were just read from ``/metrics``, without a history.

It knows what those of our rules use that ask for the present only; whether Prometheus reads all rules is another test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from prometheus_client.samples import Sample

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_TOKENS = re.compile(r'[a-z_]\w*|"[^"]*"|=~|!=|==|>|<|[-+/=(){},]|\d+(?:\.\d+)?')
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
}


class Unknown(Exception):
    """The expression has something that is not known here, such as a rate."""


@dataclass
class _Reader:
    words: list[str]
    samples: list[Sample]

    def take(self, *expected: str) -> str:
        if not self.words or (expected and self.words[0] not in expected):
            raise Unknown(" ".join(self.words[:5]))
        return self.words.pop(0)

    def next_is(self, *words: str) -> bool:
        return bool(self.words) and self.words[0] in words


def firing(expression: str, samples: Iterable[Sample]) -> list[tuple[dict[str, str], float]]:
    """Labels and value of each alert of this rule. Raises ``Unknown``."""
    reader = _Reader(_TOKENS.findall(expression), list(samples))
    found = _both(reader)
    if reader.words:
        raise Unknown(" ".join(reader.words[:5]))
    return [(dict(labels), value) for labels, value in found.items()]


def _both(reader: _Reader) -> Any:
    left = _compared(reader)
    while reader.next_is("and", "or"):
        operator = reader.take()
        on = _names(reader) if operator == "and" and reader.next_is("on") and reader.take() else None
        right = _compared(reader)
        if operator == "or":
            left = left or right
        else:
            kept = {_only(labels, on) for labels in right}
            left = {labels: value for labels, value in left.items() if _only(labels, on) in kept}
    return left


def _compared(reader: _Reader) -> Any:
    left = _divided(reader)
    if not reader.next_is(*_COMPARE):
        return left
    holds, right = _COMPARE[reader.take()], _divided(reader)
    return {labels: value for labels, value in left.items() if holds(value, right)}


def _divided(reader: _Reader) -> Any:
    left = _part(reader)
    while reader.next_is("/"):
        reader.take()
        right = _part(reader)
        left = {labels: value / right[labels] for labels, value in left.items() if right.get(labels)}
    return left


def _part(reader: _Reader) -> Any:
    word = reader.take()
    if re.fullmatch(r"\d.*", word):
        return float(word)
    if word == "(":
        found = _both(reader)
        reader.take(")")
        return found
    if word == "max":
        by = _names(reader) if reader.next_is("by") and reader.take() else []
        return _max(_inside(reader), by)
    if word == "absent":
        return {} if _inside(reader) else {frozenset(): 1.0}
    if word == "scalar":
        return next(iter(_inside(reader).values()), float("nan"))
    if word == "vector":
        return {frozenset(): _inside(reader)}
    return _selected(reader, word)


def _inside(reader: _Reader) -> Any:
    reader.take("(")
    found = _both(reader)
    reader.take(")")
    return found


def _names(reader: _Reader) -> list[str]:
    reader.take("(")
    names = [reader.take()]
    while reader.next_is(","):
        reader.take()
        names.append(reader.take())
    reader.take(")")
    return names


def _max(vector: Vector, by: list[str]) -> Vector:
    found: Vector = {}
    for labels, value in vector.items():
        kept = _only(labels, by)
        found[kept] = max(found.get(kept, value), value)
    return found


def _only(labels: Labels, names: list[str] | None) -> Labels:
    return labels if names is None else frozenset(pair for pair in labels if pair[0] in names)


def _selected(reader: _Reader, name: str) -> Vector:
    wanted = []
    if reader.next_is("{"):
        while reader.take("{", ",") and not reader.next_is("}"):
            wanted.append((reader.take(), reader.take("=", "!=", "=~"), reader.take().strip('"')))
            if reader.next_is("}"):
                break
        reader.take("}")
    if reader.words and not reader.next_is(")", ",", "and", "or", "/", *_COMPARE):
        raise Unknown(" ".join(reader.words[:5]))
    return {
        frozenset(each.labels.items()) | {("number", str(number))}: each.value
        for number, each in enumerate(reader.samples)
        if each.name == name and all(_fits(each.labels.get(label, ""), *how) for label, *how in wanted)
    }


def _fits(value: str, operator: str, wanted: str) -> bool:
    if operator == "=~":
        return re.fullmatch(wanted, value) is not None
    return (value == wanted) == (operator == "=")
