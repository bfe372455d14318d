"""The Lua scripts of the store: loaded once from the package, run by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

Argument = str | int | float | bytes


class Script:
    """One script. Every script may run twice for one call, because the client repeats a call that timed out."""

    def __init__(self, redis: Redis, text: str) -> None:
        self._redis = redis
        self._text = text
        self._digest = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - the name Redis gives a script

    def __call__(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run it. Raises ``redis.RedisError``."""
        try:
            return self._redis.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return self._redis.eval(self._text, len(keys), *keys, *arguments)

    def many(self, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """Run it for several key sets in one round trip; results in order."""
        try:
            return self._pipeline(calls)
        except NoScriptError:
            self._redis.script_load(self._text)
            return self._pipeline(calls)

    def _pipeline(self, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                pipeline.evalsha(self._digest, len(keys), *keys, *arguments)
            return pipeline.execute()


class Scripts:
    """All scripts over one connection pool."""

    def __init__(self, redis: Redis) -> None:
        folder = resources.files("worker.store") / "lua"
        prelude = (folder / "prelude.lua").read_text(encoding="utf-8")

        def script(name: str) -> Script:
            return Script(redis, prelude + (folder / f"{name}.lua").read_text(encoding="utf-8"))

        self.accept = script("accept")
        self.begin = script("begin")
        self.record = script("record")
        self.settle = script("settle")
        self.hold = script("hold")
        self.renew = script("renew")
        self.ring = script("ring")
        self.refuse = script("refuse")
        self.replay = script("replay")
        self.gate = script("gate")
        self.admit = script("admit")
        self.wake = script("wake")
        self.books = script("books")
