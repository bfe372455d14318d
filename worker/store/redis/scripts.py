"""The Lua scripts of the store: loaded once from the package, run by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError, ResponseError

from worker.store.redis.ahead import LUA
from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreFull
from worker.store.redis.connection_stack import LineBroken, Lines, as_read
from worker.store.redis.lua_library import needed
from worker.store.redis.lua_words import words
from worker.store.redis.troubles import FULL, trouble_of

Argument = str | int | float | bytes


class Script:
    """One script. Every script may run twice for one call, because the client repeats a call that timed out."""

    def __init__(self, redis: Redis, text: str, lines: Lines | None = None) -> None:
        self._redis = redis
        self._lines = lines
        self._text = text
        self._digest = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - the name Redis gives a script

    def __call__(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run it. Raises ``StoreFull`` when there is no memory for new work, else ``redis.RedisError``."""
        try:
            try:
                return self._evalsha(keys, arguments)
            except NoScriptError:
                return self._redis.eval(self._text, len(keys), *map(as_read, (*keys, *arguments)))
        except ResponseError as error:
            _tell_when_full(error)
            raise

    def _evalsha(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        if self._lines is not None:
            try:
                return self._lines.run(["EVALSHA", self._digest, len(keys), *keys, *arguments])
            except LineBroken:
                pass
        return self._redis.evalsha(self._digest, len(keys), *map(as_read, (*keys, *arguments)))

    def many(self, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """Run it for several key sets in one round trip, in a cluster in one for each; results in order.

        Raises what one call raises; then some of them may have been done.
        """
        if isinstance(self._redis, LateCluster):
            # A pipeline over several nodes keeps no order while slots move, and the client refuses scripts in it.
            return [self(keys, arguments) for keys, arguments in calls]
        try:
            try:
                return self._pipeline(calls)
            except NoScriptError:
                self._redis.script_load(self._text)
                return self._pipeline(calls)
        except ResponseError as error:
            _tell_when_full(error)
            raise

    def _pipeline(self, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                pipeline.evalsha(self._digest, len(keys), *map(as_read, (*keys, *arguments)))
            return pipeline.execute()


def _tell_when_full(error: ResponseError) -> None:
    if not isinstance(error, StoreFull) and trouble_of(error).code == FULL:
        said = "the store is full (maxmemory): it takes nothing new; send the same again when there is room"
        # Not from the error: its text can name arguments.
        raise StoreFull(said) from None


# What a script may say of itself to ``lua/lib/clock.lua``.
_ONLY_READS = "\nlocal stores\n"


class Scripts:
    """All scripts.

    ``ahead``: their clock runs ahead (``worker/store/redis/ahead.py``). ``lines``: connections for single calls;
    without them, as in a cluster, each call goes through the client. ``lease_ms``, ``personas`` and ``channel``: the
    longest lease, the configured personas and the name of the channel, which ``lua/lib/clock.lua`` has to know when the
    store's clock steps back. ``mends`` False: this process does not know all of them, and leaves that to workers.
    """

    def __init__(
        self,
        redis: Redis,
        ahead: bool = False,
        lines: Lines | None = None,
        lease_ms: int = 6000,
        personas: Iterable[str] = (),
        channel: str = "",
        mends: bool = True,
    ) -> None:
        folder = resources.files("worker.store") / "lua"

        def read(name: str) -> str:
            return (folder / f"{name}.lua").read_text(encoding="utf-8")

        prelude, shared = (
            [words(), read("lib/prelude")],
            [read(f"lib/{name}") for name in ("touches", "takeover", "places")],
        )
        plain = LUA if ahead else ""
        clock = _known(lease_ms, personas, channel) + read("lib/clock") if mends else _ONLY_READS
        mending = plain + clock

        def script(name: str, clock: str = mending) -> Script:
            body = read(name)
            own = needed(shared, body)
            return Script(redis, needed(prelude, clock + own + body) + clock + own + body, lines)

        # Most scripts of the hot path do without a look at the clock that was seen last: `begin`, and what beat runs at
        # each tick, have mended what a step left behind.
        self.accept = script("accept", plain)
        self.begin = script("begin")
        self.record = script("record", plain)
        self.settle = script("settle", plain)
        self.hold = script("hold")
        self.stumble = script("stumble")
        self.hand_over = script("hand_over")
        self.renew = script("renew", plain)
        self.keep_image = script("keep_image")
        self.note = script("note")
        self.touch = script("touch")
        self.schedule = script("schedule")
        self.allow = script("allow")
        self.look = script("look")
        self.ring = script("ring")
        self.ring_outreach = script("ring_outreach")
        self.refuse = script("refuse")
        self.reencrypt = script("reencrypt")
        self.replay = script("replay")
        self.gate = script("gate")
        self.open = script("open")
        self.errands = script("errands")
        self.probe = script("probe")
        self.admit = script("admit")
        self.release = script("release")
        self.renew_places = script("renew_places")
        self.next = script("next")
        self.asking = script("asking", plain)
        self.not_called = script("not_called")
        self.wake = script("wake")
        self.ramp = script("ramp")
        self.outcome = script("outcome")
        self.books = script("books")
        self.measure = script("measure")
        self.claim = script("claim")
        self.hand_back = script("hand_back")
        self.seal = script("seal")
        self.forget = script("forget")


def _known(lease_ms: int, personas: Iterable[str], channel: str) -> str:
    names = _quoted(" ".join(sorted(personas)))
    return f"\nlocal LEASE_MS, PERSONAS, CHANNEL = {lease_ms}, {names}, {_quoted(channel)}\n"


def _quoted(text: str) -> str:
    return "'" + "".join(f"\\{byte:03d}" for byte in text.encode()) + "'"
