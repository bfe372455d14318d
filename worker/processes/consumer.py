"""What takes messages off the broker. Nothing that comes from there ends the worker: neither what is no message of
Celery, nor an error that the broker answers.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any, cast

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.exceptions import KombuError
from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from worker.store import StoreError
from worker.store.queues import celery_messages, decompression
from worker.store.redis.troubles import Saying, trouble_of

_log = logging.getLogger("parley.worker")


_Steps: Any = cast(Any, Consumer).Blueprint

# Whoever watches does not see it; a busy worker then publishes tens of times a second, not once for each task.
_EVENTS_LATE_SECONDS = 0.05

# Between two connections to a broker that lets us in and then refuses; a fail-over takes seconds, a full disk hours.
_PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0)
_CELERY_SAYS = ("celery.worker.consumer.consumer", "celery.worker.consumer.connection")
# Celery's own pauses grow to half a minute: so long nobody would be answered when the broker is back.
_CONNECT_SECONDS = 1


class CarefulConsumer(Consumer):
    """Throws a message away that kombu or Celery stumbles over, and holds on when the broker answers with an error,
    where they would end the worker; publishes task events together.
    """

    _events_wait = False
    _refused = 0

    class Blueprint(_Steps):  # type: ignore[misc]
        """Celery's own steps, but for the one that makes 28 queues on RabbitMQ for countdowns: nobody uses any."""

        default_steps = tuple(step for step in _Steps.default_steps if not step.endswith(":DelayedDelivery"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._saying = Saying()
        for name in _CELERY_SAYS:
            logging.getLogger(name).addFilter(self._is_news)
        # To Celery only a connection that breaks is worth another try. A broker that is full, lost its replicas or
        # disk, steps back to a replica or changes our rights answers with an error, and is mended without us.
        known: Any = cast(Any, self).conninfo
        self.connection_errors = (*known.connection_errors, *known.channel_errors, StoreError, KombuError)

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's own hook: a connection that is open, however long that takes."""
        connected = conn.ensure_connection(
            lambda error, _: self._say(error),
            interval_start=_CONNECT_SECONDS,
            interval_step=0,
            interval_max=_CONNECT_SECONDS,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        return connected

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Celery's own hook: there is no connection to be had. Called before each further try."""
        self._say(exc)
        self._pause()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Celery's own hook: the connection broke, or the broker refuses. Called before each further try."""
        self._say(exc)
        super().on_connection_error_after_connected(exc)
        self._pause()

    def _is_news(self, record: logging.LogRecord) -> bool:
        # Celery would tell of each try.
        return record.levelno >= logging.ERROR or not self._saying.lasts

    def _say(self, error: BaseException) -> None:
        trouble = trouble_of(error)
        if self._saying.now(trouble):
            _log.warning("broker %s", trouble.told("no doorbells are taken, this worker holds on"))

    def _pause(self) -> None:
        until = time.monotonic() + _PAUSES_SECONDS[min(self._refused, len(_PAUSES_SECONDS) - 1)]
        self._refused += 1
        while (left := until - time.monotonic()) > 0:
            maybe_shutdown()
            time.sleep(min(left, 0.1))

    def _answered(self) -> None:
        self._refused = 0
        seconds = self._saying.over()
        if seconds is not None:
            _log.warning("broker answers again after %.0f s", seconds)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Celery's own hook: what takes each message, asked for anew with each connection to the broker."""
        decompression.bound()
        channel = cast(Any, self).task_consumer.channel
        if isinstance(channel, redis.Channel):
            throw_away_unreadable(channel, self._answered)
        handle = super().create_task_handler(*args, **kwargs)
        # A loop that ends with an error forgets what it was asked to call soon, and no other event would ask again.
        self._events_wait = False

        def take(message: Any) -> None:
            self._answered()
            try:
                if message.headers.get("task", celery_messages.TASK) == celery_messages.TASK:
                    hand_over_unread(message)
                handle(message)
            except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
                self.on_invalid_task(None, message, error)

        return take

    def on_send_event_buffered(self) -> Any:
        """Celery's own hook: a task event lies in the buffer. Called by any thread."""
        hub = cast(Any, self).hub
        if hub and not self._events_wait:
            self._events_wait = True
            # Timers belong to the thread of the loop.
            hub.call_soon(hub.call_later, _EVENTS_LATE_SECONDS, self._publish_events)

    def _publish_events(self) -> None:
        self._events_wait = False
        cast(Any, self)._flush_events()


def hand_over_unread(message: Any) -> None:
    """Make ``message`` one that carries itself as it came to ``tasks.accept``: an event, or what names no task in its
    headers, which may be one in protocol 1.

    Celery itself would wait for its eta in memory, drop what has expired, call further tasks and refuse other
    encodings, and nobody would know.
    """
    text, headers = celery_messages.text_of(message), message.headers
    task_id = headers.get("id")
    message.headers = {
        "task": celery_messages.TASK,
        # By it an operator finds or revokes it; its event has the id that the message itself says.
        "id": task_id if isinstance(task_id, str) else str(uuid.uuid4()),
        "argsrepr": "-",
        "kwargsrepr": "-",
        "ignore_result": True,
    }
    message.body = json.dumps([[text], {}, {}])
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.errors = []
    message._decoded_cache = None


def throw_away_unreadable(channel: redis.Channel, answered: Callable[[], None] = lambda: None) -> None:
    """Let ``channel`` pass over what lies in a Redis list and cannot become a kombu message; each is logged.

    ``answered`` is called with each answer that is no error, also when nothing came.

    Kombu itself has no guard there: it raises while it reads, before any consumer sees a message, and ends the worker.
    To kombu such a read then looks like one during which nothing came.
    """
    read = channel.client.response_callbacks["BRPOP"]

    def read_message(answer: Any, **options: Any) -> Any:
        answered()
        found = read(answer, **options)
        return found if not found or _is_message(channel, *found) else None

    channel.client.set_response_callback("BRPOP", read_message)


def _is_message(channel: redis.Channel, queue: bytes, item: bytes) -> bool:
    try:
        text = bytes_to_str(item)
        # Kombu's own way to read costs four times as much, and differs only for values that carry their type.
        payload = loads(text) if "__type__" in text else json.loads(text)
        message = channel.Message(payload, channel=channel)
        # Kombu keeps messages under their tags.
        hash(message.delivery_tag)
    except Exception as error:
        # Nothing but a foreign text is read here, so whatever goes wrong, it is the text's fault.
        _log.error(
            "thrown away: %d bytes in queue %s are no Celery message (%s); whoever put them there must send through "
            "Celery or worker.pipeline.producer",
            len(item),
            bytes_to_str(queue),
            type(error).__name__,
        )
        return False
    return True
