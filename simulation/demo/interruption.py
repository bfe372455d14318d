"""Ctrl-C and SIGTERM: the first asks the demo to come to an end, a second one ends it where it is.

The processes of the demo share its terminal, which sends Ctrl-C to all of them: a worker that stops by itself could not
finish what it has begun. They inherit which signals are held back, so they are started while SIGINT is.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody wants the demo to end. Use with ``with``, in the main thread."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._request) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Signals that arrive meanwhile take effect afterwards; a child started meanwhile never gets them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
