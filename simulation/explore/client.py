"""The store's client of an exploration: each command is a step that can be made, kept, made again or never made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

from redis.exceptions import NoScriptError

from simulation.explore.mutation import Mutation
from worker.store.redis.ahead import AheadRedis
from worker.store.redis.connection_stack import Lines, as_read

Words = tuple[Any, ...]


class Command(NamedTuple):
    """One run of a script, as it goes to the server. ``name``: of the script."""

    name: str
    words: Words


@dataclass(slots=True)
class Loaded:
    """A script on the server. ``digest``: by which it is run there."""

    name: str
    digest: str


def _bodies() -> dict[str, str]:
    folder = resources.files("worker.store") / "lua"
    files = (file for file in folder.iterdir() if file.name.endswith(".lua"))
    return {file.name.removesuffix(".lua"): file.read_text(encoding="utf-8") for file in files}


class ExploredRedis(AheadRedis):
    """``instead``: makes the commands while it is set; None: they are made at once. ``now_ms``: what its clock says.
    ``mutation``: a fault that is put into the scripts, before the first of them is run. ``sent``: the last script that
    was run at once."""

    instead: Callable[[Words, dict[str, Any]], Any] | None = None
    mutation: Mutation | None = None
    now_ms = 0
    sent: Command | None = None

    def execute_command(self, *words: Any, **options: Any) -> Any:
        """Make a command, or have it made by who stands in its place."""
        if self.instead is not None:
            return self.instead(words, options)
        return self.perform(words, options)

    def perform(self, words: Words, options: dict[str, Any]) -> Any:
        """Make a command now."""
        if words[0] == "EVALSHA":
            self.sent = self.known(words)
            return self.run(self.sent)
        if words[0] == "EVAL":
            self.sent = self.loaded(words)
            return self.run(self.sent)
        if words[0] == "SCRIPT LOAD":
            return self._load(words[1]).digest
        return super().execute_command(*words, **options)  # type: ignore[no-untyped-call]

    def known(self, words: Words) -> Command:
        """A run of a script that the server knows. Raises ``NoScriptError`` for another one."""
        known = self._known.get(words[1])
        if known is None:
            raise NoScriptError("NOSCRIPT")
        return Command(known.name, ("EVALSHA", known.digest, *words[2:]))

    def loaded(self, words: Words) -> Command:
        """The same for a script that comes with its text."""
        script = self._load(words[1])
        return Command(script.name, ("EVALSHA", script.digest, *words[2:]))

    def run(self, command: Command) -> Any:
        """Run a script, whoever has sent it."""
        return self._line.run([as_read(word) for word in command.words])

    def time(self, **options: object) -> tuple[int, int]:
        """The explored clock: it costs no command."""
        return self.now_ms // 1000, self.now_ms % 1000 * 1000

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """Its commands one after the other, each like a command of its own."""
        return _InOrder(self)

    def _load(self, given: str | bytes) -> Loaded:
        text = given.decode() if isinstance(given, bytes) else given
        name = next(name for name, body in self._own_bodies.items() if text.endswith(body))
        mutated = self.mutation.of(text) if self.mutation else text
        script = Loaded(name, super().execute_command("SCRIPT LOAD", mutated))  # type: ignore[no-untyped-call]
        self._known[hashlib.sha1(text.encode()).hexdigest()] = script
        return script

    @property
    def _known(self) -> dict[str, Loaded]:
        known: dict[str, Loaded] = self.__dict__.setdefault("known_scripts", {})
        return known

    @property
    def _own_bodies(self) -> dict[str, str]:
        bodies: dict[str, str] = self.__dict__.get("bodies") or self.__dict__.setdefault("bodies", _bodies())
        return bodies

    @property
    def _line(self) -> Lines:
        line: Lines = self.__dict__.get("line") or self.__dict__.setdefault("line", Lines(self, 1))
        return line


class _InOrder:
    def __init__(self, redis: ExploredRedis) -> None:
        self._redis = redis
        self._calls: list[tuple[str, Sequence[Any], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def queue(*words: Any, **options: Any) -> _InOrder:
            self._calls.append((name, words, options))
            return self

        return queue

    def execute(self) -> list[Any]:
        calls, self._calls = self._calls, []
        return [getattr(self._redis, name)(*words, **options) for name, words, options in calls]

    def __enter__(self) -> _InOrder:
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.clear()
