"""The producer of a chaos run: sends at a steady rate, repeats what got no receipt, and keeps its own log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from simulation.chaos.messages import Message
from simulation.judge.log import Sent

_BATCH_SECONDS = 0.25
_PAUSE_SECONDS = 0.1


class NoReceipt(Exception):
    """The system did not say that it has the messages; it may have them all the same."""


class Feed:
    """Sends in a thread of its own. ``send`` takes a batch and raises ``NoReceipt``; then it gets the same batch again.

    ``sent`` is the producer's log, in the order of acceptance.
    """

    def __init__(self, send: Callable[[Sequence[Message]], None], batch: Sequence[Message], seconds: float) -> None:
        self._send = send
        self._messages = list(batch)
        self._per_batch = max(1, round(len(self._messages) * _BATCH_SECONDS / seconds))
        self._pause_seconds = self._per_batch * seconds / max(1, len(self._messages))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._failure: Exception | None = None
        self.sent: list[Sent] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether everything has its receipt. Raises what the sending raised, ``NoReceipt`` aside."""
        if self._failure:
            raise self._failure
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        began_at = time.monotonic()
        try:
            for number, start in enumerate(range(0, len(self._messages), self._per_batch)):
                if self._stopped.wait(max(0.0, began_at + number * self._pause_seconds - time.monotonic())):
                    return
                self._send_surely(self._messages[start : start + self._per_batch])
        except Exception as error:
            self._failure = error

    def _send_surely(self, batch: Sequence[Message]) -> None:
        tried_at = time.time()
        while True:
            try:
                self._send(batch)
                break
            except NoReceipt:
                if self._stopped.wait(_PAUSE_SECONDS):
                    return
        now = time.time()
        self.sent += [
            Sent(
                message.persona,
                message.target,
                message.text,
                now,
                message.kind,
                message.image,
                message.api,
                message.said,
                tried_at,
            )
            for message in batch
        ]
