"""Takes doorbells that wait behind one another with one command.

For each message kombu waits in its loop, reads it, and asks for the next one: under load that costs a worker as much as
a step of a turn, and Redis a command more for each turn. While doorbells come without a pause, this takes several that
wait behind the one that kombu has read. Kombu still asks for messages of all queues in their order, and its limit of
messages that a worker holds counts these, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from worker.domain.vocabulary import TURNS

# Another process that has nothing to do gets the rest; this one needs some milliseconds for as many.
_MOST = 8
# A doorbell that kombu had to wait for did not stand behind another one. In between is what one look of kombu takes.
_PAUSE_SECONDS = 0.002
# Kombu goes on when this part of what it may hold is free, or as much as one row takes.
_FREE_PART = 8


class MoreDoorbells:
    """Those of one channel of kombu over Redis.

    Only the queue ``turns`` is looked at: beat's messages come before it, and openers may wait. The number that is
    asked for doubles when as many were there, and falls to what was there.

    ``read``: the message in a text of the queue; None discards the text. ``pause_seconds``: a doorbell that came later
    than this after kombu's command is followed by none.
    """

    def __init__(self, channel: Any, read: Callable[[bytes], Any], pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._channel = channel
        # The channel forgets its connection when it is closed, while tasks that came by it still begin.
        self._cycle = channel.connection.cycle
        self._read = read
        self._pause_seconds = pause_seconds
        self._number = 1
        self._taking = False

    def follow(self, message: Any) -> None:
        """Hand on what waits behind this message, which kombu has just handed on.

        Raises redis-py's errors of a connection that broke, like kombu's own reading. What was taken by then is lost,
        and the agenda rings again.
        """
        if self._taking or (message.delivery_info or {}).get("routing_key") != TURNS:
            return
        room = self._channel.qos.can_consume_max_estimate()
        number = self._number if room is None else min(self._number, room)
        if not number or time.monotonic() - self._channel._brpop_sent_at > self._pause_seconds:
            return
        self._taking = True
        try:
            found = self._take(number)
        finally:
            self._taking = False
        self._number = min(2 * number, _MOST) if found == number else max(found, 1)

    def wants_to_go_on(self) -> bool:
        """Whether kombu waits for room, and there is enough for a row: an eighth of what it may hold. Until then tasks
        that were taken earlier wait for a thread, so that none is idle.

        Any thread may ask, after its acknowledgement. The last one of a row sees all others.
        """
        qos = self._channel.qos
        if self._channel._in_poll and not self._cycle._paused_brpop:
            return False
        room = qos.can_consume_max_estimate()
        return room is None or room >= min(_MOST, max(1, qos.prefetch_count // _FREE_PART))

    def _take(self, number: int) -> int:
        transport = self._channel.connection
        try:
            texts = self._channel.client.execute_command("RPOP", TURNS, number) or []
        except transport.channel_errors:
            # Kombu's next command meets it, too, and then the worker waits for the broker.
            return 0
        for text in texts:
            message = self._read(text)
            if message is not None:
                transport._deliver(message, TURNS)
        return len(texts)
