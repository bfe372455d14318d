"""What is stored at one moment, as the invariants read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_TAG = "parley:{00}:"

Fields = Mapping[str, str]


@dataclass(frozen=True)
class Look:
    """All keys of the one shard, without the tag: kind and content as the server gives them."""

    keys: Mapping[str, tuple[str, Any]]

    @classmethod
    def of_json(cls, text: str) -> Look:
        """Read what the script said."""
        found: dict[str, tuple[str, Any]] = json.loads(text) or {}
        return cls({key.removeprefix(_TAG): (kind, content or []) for key, (kind, content) in found.items()})

    @cached_property
    def _hashes(self) -> dict[str, Fields]:
        return {}

    @cached_property
    def agenda(self) -> Mapping[str, int]:
        """Conversation to when it is looked at next."""
        return self.scores("agenda")

    @cached_property
    def conversations(self) -> Mapping[str, Fields]:
        """Name to its own state."""
        return {name: self.hash(key) for key, name in self._named("conversation:")}

    @cached_property
    def inboxes(self) -> Mapping[str, Sequence[str]]:
        """Name to the ids that wait."""
        return {name: self.keys[key][1] for key, name in self._named("inbox:")}

    @cached_property
    def journals(self) -> Mapping[tuple[str, str], Fields]:
        """Event id and name of its conversation to its journal."""
        found = {}
        for key, rest in self._named("journal:"):
            event_id, _, name = rest.partition(" ")
            found[event_id, name] = self.hash(key)
        return found

    def timeline(self, name: str) -> Sequence[Sequence[Any]]:
        """Lines of a conversation's timeline; [] when they were not looked at."""
        return [json.loads(line) for line in self.keys.get(f"timeline:{name}", ("list", []))[1]]

    def hash(self, key: str) -> Fields:
        """A hash by its fields."""
        if key not in self._hashes:
            self._hashes[key] = _pairs(self.keys.get(key, ("hash", []))[1])
        return self._hashes[key]

    def scores(self, key: str) -> Mapping[str, int]:
        """A sorted set."""
        return {member: int(float(score)) for member, score in _pairs(self.keys.get(key, ("zset", []))[1]).items()}

    def texts(self, key: str) -> Sequence[str]:
        """A list, or what a stream has."""
        texts: Sequence[str] = self.keys.get(key, ("list", []))[1]
        return texts

    def _named(self, prefix: str) -> list[tuple[str, str]]:
        return [(key, key[len(prefix) :]) for key in self.keys if key.startswith(prefix)]


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
