"""Whether and when a failed attempt is made again: pure decisions about the budget of one event.

An outage is not an event's fault. A failed attempt counts against its event only when another call to the same upstream
succeeded before the event's next attempt. Until then the upstream may have been the cause. So an outage costs time and
no budget, and an event that causes its own failures still ends. Asking and delivering have a budget each.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, Protocol

from config.settings import Retry
from worker.domain.reasons import Reason, read
from worker.domain.vocabulary import Cause, figures

What = Literal["unavailable", "unknown", "refused", "throttled", "image"]

# When the channel refuses this number of attempts with 401 or 403 and takes those of others, it is the conversation's
# own fault.
_REFUSED_LIMIT = 3
_NO_LIMIT = 1_000_000_000

# Until the event is known to be the cause, it is ready again soon after the upstream is.
_UNJUDGED_LIMIT_SECONDS = 5.0

# What was not answered while others were is asked again after a pause of minutes: n-th pause, in first pauses.
_UNKNOWN_FIRST, _UNKNOWN_GROWTH = 10.0, 6.0


@dataclass(frozen=True, slots=True)
class Failure:
    """The last failed attempt of a step, not yet judged.

    ``at``: milliseconds of the store's clock. ``pause_ms``: the pause that it caused. ``limit``: that many attempts
    that count end the event. ``why``: its reason as the store keeps it.
    """

    at: int
    what: What
    pause_ms: int
    limit: int
    why: str

    @classmethod
    def of_text(cls, text: str) -> Failure:
        """Read what ``Failed.to_text`` wrote; the store puts the time in front."""
        at, what, pause_ms, limit, why = text.split(" ", 4)
        return cls(int(at), what, int(pause_ms), int(limit), why)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that has just failed. ``own``: surely by the event's own fault, so it counts at once."""

    what: What
    limit: int
    own: bool = False

    def to_text(self, pause_ms: int, why: str) -> str:
        """The text that the journal keeps until the attempt is judged."""
        return f"{self.what} {pause_ms} {self.limit} {why}"


class Tried(Protocol):
    """What the journal knows of the failed attempts of the present step (``store.conversations.journal.Entry``)."""

    @property
    def failures(self) -> int: ...
    @property
    def failures_ms(self) -> int: ...
    @property
    def failed(self) -> Failure | None: ...


@dataclass(frozen=True, slots=True)
class Tries:
    """The attempts of a step that count against its event, and the sum of the pauses that they caused.

    ``judged``: the last failed attempt is among them, and the store does not know yet.
    """

    counted: int = 0
    paused_ms: int = 0
    judged: bool = False


UNTRIED = Tries()


def tries(head: Tried, succeeded_at: int) -> Tries:
    """What counts against ``head``. ``succeeded_at``: when another call to the upstream last succeeded, milliseconds of
    the store's clock; 0 = not known."""
    if head.failed is None or succeeded_at <= head.failed.at:
        return Tries(head.failures, head.failures_ms)
    return Tries(head.failures + 1, head.failures_ms + head.failed.pause_ms, judged=True)


def spent(head: Tried, made: Tries, retry: Retry) -> tuple[Cause, str] | None:
    """Cause and detail of the death of an event whose budget for the present step is used up; None when it is not."""
    failed = head.failed
    if failed is None or (made.counted < failed.limit and made.paused_ms < retry.age_seconds * 1000):
        return None
    last = read(failed.why) or Reason(Cause.OTHER)
    match failed.what:
        case "unknown":
            answer = last.detail if last.detail.startswith("status=") else ""
            return Cause.OUTCOME_UNKNOWN, f"{figures(times=made.counted)} {answer}".rstrip()
        case "refused":
            return Cause.DELIVERY_REFUSED, last.detail
        case _:
            budget = figures(attempts=made.counted, seconds=f"{made.paused_ms / 1000:.0f}", last=last.cause)
            return Cause.GAVE_UP, f"{budget} {last.detail}".rstrip()


def limit_of(what: What, retry: Retry) -> int:
    """How many attempts that failed so, and count, end an event."""
    match what:
        case "unknown":
            return min(retry.attempts, retry.unknown_attempts)
        case "refused":
            return min(retry.attempts, _REFUSED_LIMIT)
        case "throttled":
            # The server says itself when it has room again; only the sum of the pauses ends that.
            return _NO_LIMIT
        case _:
            return retry.attempts


def pause_after(what: What, attempt: int, made: Tries, retry: Retry, jitter: random.Random) -> float:
    """Seconds until the next attempt, without a Retry-After. ``attempt``: number of the one that failed."""
    if what != "image" and not made.counted:
        seconds = min(_doubled(attempt, retry), max(_UNJUDGED_LIMIT_SECONDS, retry.pause_seconds))
    elif what in ("unknown", "refused"):
        longest = retry.pause_limit_seconds
        seconds = min(longest, retry.pause_seconds * _UNKNOWN_FIRST * _UNKNOWN_GROWTH ** min(made.counted - 1, 10))
    else:
        seconds = _doubled(made.counted + 1, retry)
    return seconds * jitter.uniform(0.5, 1.0)


def pause(attempt: int, retry_after: float | None, retry: Retry, jitter: random.Random) -> float:
    """Seconds until the next attempt: Retry-After in full, else exponential with jitter."""
    return obeyed(retry_after, retry, jitter) or _doubled(attempt, retry) * jitter.uniform(0.5, 1.0)


def pause_for_all(attempt: int, retry_after: float | None, retry: Retry, jitter: random.Random) -> float:
    """Seconds for which a throttled key waits: Retry-After in full, else a short back-off.

    Short, because the server may mean only this conversation, and all the others wait too."""
    said = obeyed(retry_after, retry, jitter)
    return said or min(_doubled(attempt, retry), max(_UNJUDGED_LIMIT_SECONDS, retry.pause_seconds))


def obeyed(retry_after: float | None, retry: Retry, jitter: random.Random) -> float | None:
    """Seconds to wait by Retry-After, or None when it is missing or not usable."""
    # A Retry-After of 0 is no pause: a server that repeats it would be called without end.
    if retry_after is None or retry_after < retry.pause_seconds:
        return None
    wait = min(retry_after, retry.retry_after_limit_seconds)
    return wait + jitter.uniform(0, min(1.0, wait / 10))


def _doubled(attempt: int, retry: Retry) -> float:
    exponent = min(max(attempt, 1) - 1, 30)
    return float(min(retry.pause_limit_seconds, retry.pause_seconds * 2.0**exponent))
