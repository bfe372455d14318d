"""The Lua scripts of the store: loaded once from the package, run by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from importlib import resources
from typing import Any, Generic, ParamSpec

from redis import Redis
from redis.exceptions import NoScriptError, ResponseError

from worker.store.faces import (
    agenda,
    consent,
    door,
    endpoints,
    follow_ups,
    gates,
    notices,
    operators,
    outreach,
    places,
    processes,
    turn,
    views,
)
from worker.store.faces.face import Face, Words
from worker.store.redis.ahead import LUA
from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreFull
from worker.store.redis.lines import LineBroken, Lines, as_read
from worker.store.redis.lua_library import complete
from worker.store.redis.lua_words import words
from worker.store.redis.troubles import FULL, trouble_of

P = ParamSpec("P")


class Script(Generic[P]):
    """One script. Every script may run twice for one call, because the client repeats a call that timed out."""

    def __init__(self, redis: Redis, text: Callable[[], str], face: Face[P], lines: Lines | None = None) -> None:
        self._redis = redis
        self._lines = lines
        self._face = face
        # Made when it is first run: a process runs few of them, and a command one or two.
        self._made = text

    @cached_property
    def text(self) -> str:
        """What the server gets: the parts of the library that it needs, its names, its body."""
        return self._made()

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha1(self.text.encode()).hexdigest()  # noqa: S324 - the name Redis gives a script

    @cached_property
    def run(self) -> Callable[P, Any]:
        """Runs it. Raises what ``send`` raises."""
        return self._face.then(self.send)

    @cached_property
    def call(self) -> Callable[P, Words]:
        """What a call sends, for ``send`` or ``many``."""
        return self._face.then(_as_it_is)

    def send(self, words: Words) -> Any:
        """Run a call. Raises ``StoreFull`` when there is no memory for new work, else ``redis.RedisError``."""
        try:
            try:
                return self._evalsha(words)
            except NoScriptError:
                return self._redis.eval(self.text, *map(as_read, words))
        except ResponseError as error:
            _tell_when_full(error)
            raise

    def _evalsha(self, words: Words) -> Any:
        if self._lines is not None:
            try:
                return self._lines.run(["EVALSHA", self._digest, *words])
            except LineBroken:
                pass
        return self._redis.evalsha(self._digest, *map(as_read, words))

    def many(self, calls: Sequence[Words]) -> list[Any]:
        """Run it for several calls in one round trip, in a cluster in one for each; results in order.

        Raises what one call raises; then some of them may have been done.
        """
        if isinstance(self._redis, LateCluster):
            # A pipeline over several nodes keeps no order while slots move, and the client refuses scripts in it.
            return [self.send(words) for words in calls]
        try:
            try:
                return self._pipeline(calls)
            except NoScriptError:
                self._redis.script_load(self.text)
                return self._pipeline(calls)
        except ResponseError as error:
            _tell_when_full(error)
            raise

    def _pipeline(self, calls: Sequence[Words]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for words in calls:
                pipeline.evalsha(self._digest, *map(as_read, words))
            return pipeline.execute()


def _as_it_is(words: Words) -> Words:
    return words


def _tell_when_full(error: ResponseError) -> None:
    if not isinstance(error, StoreFull) and trouble_of(error).code == FULL:
        said = "the store is full (maxmemory): it takes nothing new; send the same again when there is room"
        # Not from the error: its text can name arguments.
        raise StoreFull(said) from None


# What scripts share beside the prelude; each uses only those before it.
_SHARED = (
    *("clock_steps", "notices", "endings", "touches", "takeover", "interruptions"),
    *("places", "consent", "operator", "repeated", "transcript", "known", "deaths", "fences"),
)

# What a script may say of itself to ``lua/lib/clock.lua``.
_ONLY_READS = "\nlocal stores\n"


class Scripts:
    """All scripts.

    ``ahead``: their clock runs ahead (``worker/store/redis/ahead.py``). ``lines``: connections for single calls;
    without them, as in a cluster, each call goes through the client. ``lease_ms``, ``personas`` and ``channel``: the
    longest lease, the configured personas and the name of the channel, which ``lua/lib/clock.lua`` has to know when the
    store's clock steps back. ``mends`` False: this process does not know all of them, and leaves that to workers.
    ``notices_kept``: bytes and milliseconds of the notices that each shard keeps; None: this process writes them when
    others have said that they are kept.
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
        notices_kept: tuple[int, int] | None = None,
    ) -> None:
        folder = resources.files("worker.store") / "lua"

        def read(name: str) -> str:
            return (folder / f"{name}.lua").read_text(encoding="utf-8")

        prelude, shared = (
            [words(), _kept(notices_kept), read("lib/prelude")],
            [read(f"lib/{name}") for name in _SHARED],
        )
        plain = LUA if ahead else ""
        clock = _known(lease_ms, personas, channel) + read("lib/clock") if mends else _ONLY_READS
        mending = plain + clock

        def text_of(face: Face[P], clock: str) -> str:
            return complete(prelude, clock, shared, face.preamble + read(face.name))

        def script(face: Face[P], clock: str = mending) -> Script[P]:
            return Script(redis, partial(text_of, face, clock), face, lines)

        # Most scripts of the hot path do without a look at the clock that was seen last: `begin`, and what beat runs at
        # each tick, have mended what a step left behind.
        self.accept = script(door.accept, plain)
        self.begin = script(turn.begin)
        self.record = script(turn.record, plain)
        self.settle = script(turn.settle, plain)
        self.hold = script(turn.hold)
        self.stumble = script(turn.stumble)
        self.killed_alone = script(turn.killed_alone)
        self.hand_over = script(turn.hand_over)
        self.renew = script(turn.renew, plain)
        self.sign = script(processes.sign, plain)
        self.keep_process = script(processes.keep_process, plain)
        self.keep_image = script(turn.keep_image)
        self.take_endpoint = script(endpoints.take_endpoint, plain)
        self.keep_endpoint = script(endpoints.keep_endpoint, plain)
        self.order_endpoint = script(endpoints.order_endpoint, plain)
        self.note = script(turn.note)
        self.touch = script(follow_ups.touch)
        self.schedule = script(follow_ups.schedule)
        self.allow = script(follow_ups.allow)
        self.reserve = script(follow_ups.reserve)
        self.tell = script(follow_ups.tell)
        self.acks = script(follow_ups.acks)
        self.look = script(agenda.look)
        self.ring = script(agenda.ring)
        self.ring_outreach = script(agenda.ring_outreach)
        self.refuse = script(door.refuse)
        self.reencrypt = script(operators.reencrypt)
        self.end_transcripts = script(operators.end_transcripts)
        self.note_act = script(operators.note_act)
        self.erase_acts = script(operators.erase_acts)
        self.reencrypt_lines = script(operators.reencrypt_lines)
        self.replay = script(operators.replay)
        self.gate = script(gates.gate)
        self.open = script(gates.open_)
        self.errands = script(gates.errands)
        self.probe = script(gates.probe)
        self.admit = script(places.admit)
        self.release = script(places.release)
        self.renew_places = script(places.renew_places)
        self.next = script(places.next_)
        self.asking = script(turn.asking, plain)
        self.not_called = script(turn.not_called)
        self.wake = script(agenda.wake)
        self.ramp = script(outreach.ramp)
        self.outcome = script(outreach.outcome)
        self.books = script(views.books)
        self.measure = script(views.measure)
        self.known = script(views.known, plain)
        self.known_rows = script(views.known_rows, plain)
        self.claim = script(operators.claim)
        self.hand_back = script(operators.hand_back)
        self.say = script(operators.say)
        self.seal = script(operators.seal)
        self.consent = script(consent.consent)
        self.consent_of_lead = script(consent.consent_of_lead)
        self.erase_lead = script(consent.erase_lead)
        self.consent_told = script(consent.consent_told)
        self.forget = script(operators.forget)
        self.keep_notices = script(notices.keep_notices, plain)
        self.erase_notices = script(notices.erase_notices, plain)


def _kept(notices: tuple[int, int] | None) -> str:
    most_bytes, age_ms = notices or ("nil", "nil")
    return f"local NOTICES_BYTES = {most_bytes}\nlocal NOTICES_MS = {age_ms}\n"


def _known(lease_ms: int, personas: Iterable[str], channel: str) -> str:
    names = _quoted(" ".join(sorted(personas)))
    return f"\nlocal LEASE_MS, PERSONAS, CHANNEL = {lease_ms}, {names}, {_quoted(channel)}\n"


def _quoted(text: str) -> str:
    return "'" + "".join(f"\\{byte:03d}" for byte in text.encode()) + "'"
