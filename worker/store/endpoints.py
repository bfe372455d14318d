"""Endpoints that notices are pushed to: who sends, up to where each is, what an operator wants of it.

One process at a time may send to an endpoint. Its right ends by itself, so that another one continues soon after a
crash, and every write carries the number (``fence``) of the right under which the notice was sent.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from redis import Redis

from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts

# Names of endpoints that a process has sent to, or tried to.
KNOWN = "parley:endpoints"

# Why an endpoint is paused that Parley itself has paused: its receiver took nothing for days.
GAVE_UP = "gave_up"

# A process that crashed is followed by another one after so long at most.
LEASE_MS = 5000
# An endpoint that no process knows is forgotten after so long; the notices themselves are gone long before.
_KEPT_MS = 90 * 86_400_000
# Of the notices that a receiver refused, the last ones are listed.
MOST_REFUSED = 1000

# Before the first notice that a shard ever had.
START = "0-0"

Order = Literal["pause", "resume", "replay", "skip"]


@dataclass(frozen=True, slots=True)
class Held:
    """The right to send. ``now``: the store's clock, milliseconds. ``revision``: of what an operator has ordered."""

    fence: str
    now: int
    revision: str
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A notice that a receiver refused for good. ``at``: milliseconds. ``notice``: its id. ``type``: its type."""

    at: int
    notice: str
    type: str
    status: int


@dataclass(slots=True)
class Progress:
    """What a process has to store. ``positions``: by number of the shard. ``fields``: other fields, '' takes one away.
    ``sent``, ``dropped``, ``lost``, ``failed``: how many more."""

    sent: int = 0
    dropped: int = 0
    lost: int = 0
    failed: int = 0
    positions: dict[int, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EndpointState:
    """An endpoint as the store has it. Times are milliseconds of the store's clock, 0 = never.

    ``positions``: up to where the stream of each shard is done, '' = nothing was sent yet. ``holder_until``: until when
    a process has the right to send. ``paused``: why, '' = it is not; ``paused_by``: the operator, '' = Parley itself.
    ``failing_since``, ``failing_at``: the first failure of the notice that has failed for the longest time, and where
    that is. ``tries``: calls in a row to one that is down; ``not_before``: when the next one comes. ``last_failure``:
    what came last instead of an answer that counts.
    """

    name: str
    positions: tuple[str, ...]
    sent: int = 0
    dropped: int = 0
    lost: int = 0
    failed: int = 0
    holder_until: int = 0
    paused: str = ""
    paused_at: int = 0
    paused_by: str = ""
    failing_since: int = 0
    failing_at: str = ""
    tries: int = 0
    not_before: int = 0
    last_sent_at: int = 0
    last_failed_at: int = 0
    last_failure: str = ""


class Endpoints:
    """Reads and writes them. Methods raise ``StoreError``."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._shards = keys.shards
        self._take = scripts.take_endpoint
        self._keep = scripts.keep_endpoint
        self._order = scripts.order_endpoint

    def know(self, name: str) -> None:
        """Note that there is such an endpoint, for those who look."""
        self._redis.sadd(KNOWN, name)

    def take(self, name: str, holder: str) -> Held | None:
        """Take the right to send, or renew it; None = another process has it. ``holder``: names this one."""
        fence, now, revision, paused = self._take.run(
            endpoint=_key(name), holder=holder, lease_ms=LEASE_MS, kept_ms=_KEPT_MS
        )
        return Held(fence, int(now), revision, bool(paused)) if fence != "0" else None

    def give_back(self, name: str, held: Held) -> None:
        """End the right, so that another process need not wait for its end."""
        self._keep_fields(name, held, Progress(fields={"until": "1"}), uuid.uuid4().hex)

    def keep(self, name: str, held: Held, progress: Progress, call: str) -> bool:
        """Store progress. ``call``: names this write; again with the same name it changes nothing.

        Returns False when the right has gone to another process, or an operator has moved the endpoint: then nothing
        was stored.
        """
        return self._keep_fields(name, held, progress, call)

    def order(self, name: str, what: Order, *, reason: str = "", by: str = "", positions: Sequence[str] = ()) -> bool:
        """Pause or resume an endpoint, send again what comes after ``positions``, or leave out what comes before them;
        they are one for each shard. A replay moves none forward, a skip none back. Whether this changed something."""
        return bool(
            self._order.run(
                endpoint=_key(name),
                what=what,
                call=uuid.uuid4().hex,
                reason=reason,
                by=by,
                kept_ms=_KEPT_MS,
                positions=_pairs(_fields_of(dict(enumerate(positions)))),
            )
        )

    def names(self) -> list[str]:
        """All that were ever sent to and are not forgotten."""
        names: set[str] = self._redis.smembers(KNOWN)  # type: ignore[assignment]
        return sorted(names)

    def state(self, name: str) -> EndpointState:
        """One endpoint; one that was never sent to has no positions."""
        return self._state(name, self._redis.hgetall(_key(name)))  # type: ignore[arg-type]

    def refusals(self, name: str, most: int) -> list[Refusal]:
        """The notices that its receiver refused for good, the last one first."""
        letters: list[str] = self._redis.lrange(_refused(name), 0, most - 1)  # type: ignore[assignment]
        return [Refusal(*json.loads(letter)) for letter in letters]

    def beginnings(self) -> list[str]:
        """Of each shard the position before the oldest notice that is kept: where a new endpoint begins."""
        return [before(at) if at else none for at, none in self._outermost(newest=False)]

    def ends(self) -> list[str]:
        """Of each shard the position of its last notice: what comes after it is noted from now on."""
        return [at or none for at, none in self._outermost(newest=True)]

    def positions_since(self, since_ms: int) -> list[str]:
        """Of each shard the position before the first notice of a time, milliseconds, that is kept."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._shards:
                pipeline.xrange(shard.notices, min=str(since_ms), count=1)
            answers = pipeline.execute()
        ends = self.ends()
        return [before(entries[0][0]) if entries else end for entries, end in zip(answers, ends, strict=True)]

    def is_kept(self, place: int, at: str) -> bool:
        """Whether a notice that was read is still there: it may be dropped, or erased with its lead."""
        return bool(self._redis.xrange(self._shards[place].notices, min=at, max=at, count=1))

    def behind(self, state: EndpointState) -> int:
        """Milliseconds of the oldest notice that an endpoint has not passed, 0 = it has passed all."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard, at in zip(self._shards, state.positions, strict=True):
                pipeline.xrange(shard.notices, min=f"({at or START}", count=1)
            answers = pipeline.execute()
        return min((milliseconds(entries[0][0]) for entries in answers if entries), default=0)

    def all(self) -> list[tuple[EndpointState, int]]:
        """Every endpoint, with ``behind``. Without one it costs a single call."""
        states = [self.state(name) for name in self.names()]
        return [(state, self.behind(state)) for state in states]

    def remove(self, name: str) -> None:
        """Erase all that is known of an endpoint."""
        self._redis.delete(_key(name), _refused(name))
        self._redis.srem(KNOWN, name)

    def _outermost(self, *, newest: bool) -> list[tuple[str, str]]:
        # Of each shard its newest or its oldest notice, '' = none is kept; and the position to take in that case.
        with self._redis.pipeline(transaction=False) as pipeline:
            read = pipeline.xrevrange if newest else pipeline.xrange
            for shard in self._shards:
                read(shard.notices, count=1)
                pipeline.hget(shard.notices_kept, "count")
            answers = pipeline.execute()
        pairs = zip(answers[::2], answers[1::2], strict=True)
        # The next notice has the next number.
        return [(entries[0][0] if entries else "", f"0-{count or 0}") for entries, count in pairs]

    def _keep_fields(self, name: str, held: Held, progress: Progress, call: str) -> bool:
        fields = _fields_of(progress.positions) | progress.fields
        letters = [json.dumps([each.at, each.notice, each.type, each.status]) for each in progress.refusals]
        return bool(
            self._keep.run(
                endpoint=_key(name),
                refused=_refused(name),
                fence=held.fence,
                revision=held.revision,
                call=call,
                most_refused=MOST_REFUSED,
                kept_ms=_KEPT_MS,
                sent=progress.sent,
                dropped=progress.dropped,
                lost=progress.lost,
                failed=progress.failed,
                letters=json.dumps(letters) if letters else "",
                fields=_pairs(fields),
            )
        )

    def _state(self, name: str, fields: Mapping[str, str]) -> EndpointState:
        def whole(field_name: str) -> int:
            return int(fields.get(field_name, "0"))

        return EndpointState(
            name,
            tuple(fields.get(_field_of(place), "") for place in range(len(self._shards))),
            sent=whole("sent"),
            dropped=whole("dropped"),
            lost=whole("lost"),
            failed=whole("failed"),
            holder_until=whole("until"),
            paused=fields.get("paused", ""),
            paused_at=whole("paused_at"),
            paused_by=fields.get("paused_by", ""),
            failing_since=whole("since"),
            failing_at=fields.get("since_at", ""),
            tries=whole("tries"),
            not_before=whole("not_before"),
            last_sent_at=whole("last_sent_at"),
            last_failed_at=whole("last_failed_at"),
            last_failure=fields.get("last_failure", ""),
        )


def before(at: str) -> str:
    """The position before a notice of a shard: their numbers have no gaps."""
    time, _, number = at.partition("-")
    return f"{time}-{max(0, int(number) - 1)}"


def milliseconds(at: str) -> int:
    """The time of a position."""
    return int(at.partition("-")[0])


def _field_of(place: int) -> str:
    return f"at:{place:02d}"


def _fields_of(positions: Mapping[int, str]) -> dict[str, str]:
    return {_field_of(place): at for place, at in positions.items()}


def _pairs(fields: Mapping[str, str]) -> Sequence[str]:
    return [part for pair in fields.items() for part in pair]


def _key(name: str) -> str:
    return f"parley:endpoint:{{{name}}}"


def _refused(name: str) -> str:
    return f"parley:endpoint:{{{name}}}:refused"
