"""The store's client of an exploration: each command is a step that can be made, kept, made again or never made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, NamedTuple

import hiredis
from redis.exceptions import NoScriptError, ResponseError

from simulation.explore.mutation import Mutation
from simulation.explore.scripts import COPY, LOOK, RETURN
from worker.store.redis.ahead import KEY, AheadRedis
from worker.store.redis.lines import as_read
from worker.store.redis.lua_library import as_carried

Words = tuple[Any, ...]
Copy = tuple[str, ...]


class Command(NamedTuple):
    """One run of a script, as it goes to the server. ``name``: of the script."""

    name: str
    words: Words


class Loaded(NamedTuple):
    """A script on the server. ``digest``: by which it is run there."""

    name: str
    digest: str


def _bodies() -> dict[str, str]:
    folder = resources.files("worker.store") / "lua"
    files = (file for file in folder.iterdir() if file.name.endswith(".lua"))
    return {file.name.removesuffix(".lua"): file.read_text(encoding="utf-8") for file in files}


class ExploredRedis(AheadRedis):
    """``instead``: makes the commands while it is set; None: they are made at once.

    ``mutation``: a fault that is put into the scripts, before the first of them is run. ``now_ms``: what the clock
    says. ``copies``: whether all keys are copied after each script. ``last``: the script that was run last.

    What an exploration does at each step goes along with the scripts: before one the clock, or the return to a copy;
    behind one the look. So a step is one round trip.
    """

    instead: Callable[[Words, dict[str, Any]], Any] | None = None
    mutation: Mutation | None = None
    now_ms = 0
    copies = False
    last: Command | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.known_scripts: dict[str, Loaded] = {}
        self._bodies = _bodies()
        self._own: dict[str, str] = {}
        self._line: Any = None
        self._before: list[Words] = []
        # What the last look found, as long as nothing was changed since; likewise the copy.
        self._looked: str | None = None
        self._copied: Copy | None = None

    def execute_command(self, *words: Any, **options: Any) -> Any:
        """Make a command, or have it made by who stands in its place."""
        if self.instead is not None:
            return self.instead(words, options)
        return self.perform(words, options)

    def perform(self, words: Words, options: dict[str, Any]) -> Any:
        """Make a command now."""
        if words[0] == "EVALSHA":
            return self.run(self.known(words))
        if words[0] == "EVAL":
            return self.run(self.loaded(words))
        if words[0] == "SCRIPT LOAD":
            return self._load(words[1]).digest
        self._exchange()
        self._looked = self._copied = None
        return super().execute_command(*words, **options)  # type: ignore[no-untyped-call]

    def known(self, words: Words) -> Command:
        """A run of a script that the server knows. Raises ``NoScriptError`` for another one."""
        known = self.known_scripts.get(words[1])
        if known is None:
            raise NoScriptError("NOSCRIPT")
        return Command(known.name, ("EVALSHA", known.digest, *words[2:]))

    def loaded(self, words: Words) -> Command:
        """The same for a script that comes with its text."""
        script = self._load(words[1])
        return Command(script.name, ("EVALSHA", script.digest, *words[2:]))

    def run(self, command: Command) -> Any:
        """Run a script on the server."""
        behind = [self._own_script(LOOK, "")] + ([self._own_script(COPY)] if self.copies else [])
        answer, looked, *copied = self._exchange(command.words, *behind)
        self.last = command
        self._looked, self._copied = looked, tuple(copied[0]) if copied else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look(self, *, everything: bool = False) -> str:
        """What is stored, as JSON. ``everything``: also timelines and notices. Throws all doorbells away."""
        if everything:
            return str(self._answer(self._own_script(LOOK, "all")))
        if self._looked is None:
            self._looked = self._answer(self._own_script(LOOK, ""))
        return self._looked

    def copy_keys(self) -> Copy:
        """All keys, to go back to."""
        if self._copied is None:
            self._copied = tuple(self._answer(self._own_script(COPY)))
        return self._copied

    def go_back(self, copy: Copy | None, at_ms: int) -> None:
        """All keys are as they were, or gone, and the clock stands at this time."""
        self._before = [self._own_script(RETURN, *(copy or ()))]
        self._looked, self._copied = None, copy
        self.stand_at(at_ms)

    def stand_at(self, at_ms: int) -> None:
        """From now on it is this time."""
        self.now_ms = at_ms
        self._before.append(("SET", KEY, f"={at_ms}"))

    def time(self, **options: object) -> tuple[int, int]:
        """The explored clock: it costs no command."""
        return self.now_ms // 1000, self.now_ms % 1000 * 1000

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """Its commands one after the other, each like a command of its own."""
        return _InOrder(self)

    def _load(self, given: str | bytes) -> Loaded:
        text = given.decode() if isinstance(given, bytes) else given
        name = next(name for name, body in self._bodies.items() if text.endswith(as_carried(body, text)))
        mutated = self.mutation.of(text) if self.mutation else text
        script = Loaded(name, self._answer(("SCRIPT", "LOAD", mutated)))
        self.known_scripts[hashlib.sha1(text.encode()).hexdigest()] = script
        return script

    def _own_script(self, text: str, *words: str) -> Words:
        if text not in self._own:
            self._own[text] = self._answer(("SCRIPT", "LOAD", text))
        return ("EVALSHA", self._own[text], 0, *words)

    def _answer(self, *words: Words) -> Any:
        (answer,) = self._exchange(*words)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _exchange(self, *commands: Words) -> list[Any]:
        # In one write; the answers without those of what goes before.
        before, self._before = self._before, []
        if not before and not commands:
            return []
        if self._line is None:
            self._line = self.connection_pool.make_connection()
            self._line.connect()
        packed = [_packed(words) for words in (*before, *commands)]
        self._line.send_packed_command(packed)
        return [self._read() for _ in packed][len(before) :]

    def _read(self) -> Any:
        try:
            return self._line.read_response()
        except ResponseError as error:
            return error


def _packed(words: Words) -> bytes:
    try:
        packed: bytes = hiredis.pack_command(words)
    except UnicodeEncodeError:
        packed = hiredis.pack_command(tuple(map(as_read, words)))
    return packed


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
