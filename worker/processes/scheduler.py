"""When beat sends its tasks: by a clock that cannot be set, and only while workers take the messages."""

from __future__ import annotations

import logging
import time
from typing import Any, cast

from celery.beat import Scheduler, SchedulingError
from kombu.exceptions import KombuError
from kombu.transport import redis

from config.celery import SCHEDULE
from worker.store import StoreError
from worker.store.redis.troubles import Saying, trouble_of

# Enough for workers that are slow to take them, and few enough for workers that come back.
MOST_WAITING = 20

# How long the answer is valid. To ask is the only cost of an idle system.
_ROOM_SECONDS = 2.0

_PAUSE_SECONDS = 1

_log = logging.getLogger("parley.beat")


class SteadyScheduler(Scheduler):
    """Sends each entry at once and then at its interval, unless ``MOST_WAITING`` messages already wait.

    Neither it nor its messages contain a time of day, so no clock of beat or worker has to be right. The number of
    messages that wait while no worker runs is limited on any broker, for any number of beats. Each beat may exceed the
    limit by the messages of two seconds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._due_at: dict[str, float] = {}
        self._room_until = 0.0
        # Read by the health of this process.
        self.ticked_at = time.monotonic()
        self.broker_answers = True
        self._saying = Saying()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Celery's own hook: send what is due. Returns the seconds until the next look."""
        now = time.monotonic()
        entries: dict[str, Any] = self.schedule
        due = [name for name in entries if self._due_at.get(name, now) <= now]
        for name in due:
            self._due_at[name] = now + entries[name].schedule.run_every.total_seconds()
        if due and (now < self._room_until or self._has_room(now)):
            self._send([entries[name] for name in due])
        self.ticked_at = time.monotonic()
        return max(0.0, min(self._due_at.values()) - time.monotonic())

    def _send(self, entries: list[Any]) -> None:
        try:
            for entry in entries:
                self.apply_async(entry, producer=self.producer, advance=False)
        except SchedulingError as error:
            self._broker_away(error)
        else:
            self._broker_answers()

    def _ensure_connected(self) -> Any:
        # Celery's own pauses grow to 30 s, and for that time nothing would recover after the broker is back.
        return self.connection.ensure_connection(
            self._not_connected,
            interval_start=_PAUSE_SECONDS,
            interval_step=0,
            interval_max=_PAUSE_SECONDS,
        )

    def _not_connected(self, error: BaseException, _: float) -> None:
        # Each attempt is progress: a restart would not bring the broker back.
        self.ticked_at = time.monotonic()
        self._say(error)

    def _has_room(self, now: float) -> bool:
        broker: Any = self.connection
        try:
            waiting = self._waiting(cast(Any, self.producer).channel)
        except (*broker.connection_errors, *broker.channel_errors, StoreError, KombuError) as error:
            self._broker_away(error)
            return False
        self.broker_answers = True
        has_room = waiting < MOST_WAITING
        if has_room:
            self._room_until = now + _ROOM_SECONDS
        return has_room

    def _broker_away(self, error: BaseException) -> None:
        self._say(error)
        self._room_until = 0.0
        self.close()

    def _broker_answers(self) -> None:
        self.broker_answers = True
        seconds = self._saying.over()
        if seconds is not None:
            _log.warning("broker answers again after %.0f s", seconds)

    def _say(self, error: BaseException) -> None:
        self.broker_answers = False
        trouble = trouble_of(error)
        if self._saying.now(trouble):
            _log.warning("broker %s", trouble.told("no task is sent, this scheduler waits for it"))

    def _waiting(self, channel: Any) -> int:
        if isinstance(channel, redis.Channel):
            # Kombu asks with a transaction of three commands, and beat asks as long as it runs.
            with channel.conn_or_acquire() as client:
                return int(client.llen(SCHEDULE))
        declared: Any = self.app.amqp.queues[SCHEDULE].queue_declare(channel=channel)
        return int(declared.message_count)
