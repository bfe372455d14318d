"""The only user of tenacity: attempts within a turn, because they are safe and short.

Everything that waits longer is a hold on the agenda, so that no waiting occupies a worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_random_exponential,
)

Result = TypeVar("Result")


def quickly(
    call: Callable[[], Result], *, again_on: Callable[[BaseException], bool], tries: int, pause_seconds: float
) -> Result:
    """Call at most ``tries`` times, while ``again_on`` returns true for the exception. Raises the last exception."""
    try:
        return call()
    except Exception as failure:
        call = _failed_once(failure, call)
    return Retrying(
        retry=retry_if_exception(again_on),
        stop=stop_after_attempt(tries),
        wait=wait_fixed(pause_seconds),
        reraise=True,
    )(call)


def patiently(call: Callable[[], Result], *, again_on: type[Exception], seconds: float) -> Result:
    """Call until it succeeds, for about ``seconds``: for a result that must outlive an unreachable store."""
    try:
        return call()
    except again_on as failure:
        call = _failed_once(failure, call)
    return Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, again_on)),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.1, max=1.0),
        reraise=True,
    )(call)


def _failed_once(failure: Exception, call: Callable[[], Result]) -> Callable[[], Result]:
    # Nearly every call succeeds at once and needs none of tenacity's bookkeeping; this is the first try of those that
    # do not.
    failures = [failure]

    def attempt() -> Result:
        if failures:
            raise failures.pop()
        return call()

    return attempt
