"""Work that cannot be interrupted, waited for no longer than allowed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

Result = TypeVar("Result")


class Helpers:
    """Runs work in threads of its own, at most ``most`` at once. Safe for threads.

    A name look-up, for one, knows no timeout. The caller leaves in time; the thread ends when the look-up does.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """The result of ``work``, or what it raises. Raises ``TimeoutError`` if neither is there after ``seconds``,
        and ``RuntimeError`` if the system has no thread to give."""
        until = time.monotonic() + seconds
        if not self._free.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError
        outcome: queue.SimpleQueue[Callable[[], Result]] = queue.SimpleQueue()
        try:
            threading.Thread(target=self._help, args=(work, outcome), name="parley-helper", daemon=True).start()
        except RuntimeError:
            self._free.release()
            raise
        with suppress(queue.Empty):
            return outcome.get(timeout=max(0.0, until - time.monotonic()))()
        raise TimeoutError

    def _help(self, work: Callable[[], Result], outcome: queue.SimpleQueue[Callable[[], Result]]) -> None:
        try:
            result = work()
        except BaseException as error:
            outcome.put(_raising(error))
        else:
            outcome.put(lambda: result)
        finally:
            self._free.release()


def _raising(error: BaseException) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error

    return fail
