"""Takes messages from the broker. Nothing that the broker sends ends the worker: neither a text that is no message of
Celery, nor an error.
"""

from __future__ import annotations

import json
import logging
import math
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.exceptions import KombuError
from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from worker.domain.vocabulary import TURNS
from worker.processes.more_doorbells import MoreDoorbells
from worker.store import StoreError
from worker.store.queues import celery_messages, decompression
from worker.store.redis.troubles import Saying, trouble_of

_log = logging.getLogger("parley.worker")


_Steps: Any = cast(Any, Consumer).Blueprint

# Too short for an operator to notice; a busy worker then publishes tens of times a second, not once for each task.
_EVENTS_LATE_SECONDS = 0.05

_CELERY_SAYS = ("celery.worker.consumer.consumer", "celery.worker.consumer.connection")
# Celery's own pauses grow to 30 s, and for that time no lead would be answered after the broker is back.
_CONNECT_SECONDS = 1


class CarefulConsumer(Consumer):
    """Celery's consumer that survives what would end Celery's own: it discards messages that kombu or Celery cannot
    read, and waits when the broker answers with an error. It also publishes task events in batches, only in the
    thread of its loop.

    ``pauses_seconds``: between two connections to a broker that accepts them and then refuses.
    """

    # A fail-over takes seconds, a full disk hours.
    pauses_seconds = (0.25, 0.5, 1.0, 2.0)

    _events_wait = False
    _refused = 0
    _counts_here: MoreDoorbells | None = None

    class Blueprint(_Steps):  # type: ignore[misc]
        """Celery's own steps, without the one that creates 28 unused queues for countdowns on RabbitMQ."""

        default_steps = tuple(step for step in _Steps.default_steps if not step.endswith(":DelayedDelivery"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # From 24 waiting events on, Celery would publish in the thread of a task, and there wait for the confirmation
        # of RabbitMQ, which the loop reads as well: the second of the two waits for ever. What is taken in, and so the
        # number of events, is bounded.
        known_events = cast(Any, self).app.events
        known_events.Dispatcher = partial(known_events.Dispatcher, buffer_limit=math.inf)
        self._saying = Saying()
        for name in _CELERY_SAYS:
            logging.getLogger(name).addFilter(self._is_news)
        # Celery tries again only after a broken connection. A broker that is full, has lost its replicas or its disk,
        # has become a replica or changes our rights answers with an error, and recovers later.
        known: Any = cast(Any, self).conninfo
        self.connection_errors = (*known.connection_errors, *known.channel_errors, StoreError, KombuError)

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's own hook: return an open connection, however long that takes."""
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
        """Celery's own hook: connecting failed. Called before each further attempt."""
        self._say(exc)
        self._pause()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Celery's own hook: the connection broke, or the broker refuses. Called before each further attempt."""
        self._say(exc)
        super().on_connection_error_after_connected(exc)
        self._pause()

    def _is_news(self, record: logging.LogRecord) -> bool:
        # Celery would log each attempt.
        return record.levelno >= logging.ERROR or not self._saying.lasts

    def _say(self, error: BaseException) -> None:
        trouble = trouble_of(error)
        if self._saying.now(trouble):
            _log.warning("broker %s", trouble.told("no doorbell is taken, this worker waits for it"))

    def _pause(self) -> None:
        until = time.monotonic() + self.pauses_seconds[min(self._refused, len(self.pauses_seconds) - 1)]
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
        """Celery's own hook: return the function that takes each message. Called for each connection to the broker."""
        decompression.bound()
        channel = cast(Any, self).task_consumer.channel
        more = None
        if isinstance(channel, redis.Channel):
            discard_unreadable(channel, self._answered)
            more = MoreDoorbells(channel, partial(read_text, channel, TURNS.encode()))
        self._counts_here = more
        handle = super().create_task_handler(*args, **kwargs)
        # A loop that ends with an error loses its pending calls, and no other event would ask for this one again.
        self._events_wait = False

        def take(message: Any) -> None:
            self._answered()
            try:
                if message.headers.get("task", celery_messages.TASK) == celery_messages.TASK:
                    pass_on_unread(message)
                handle(message)
            except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
                self.on_invalid_task(None, message, error)
            if more:
                more.follow(message)

        return take

    def call_soon_ack(self, p: Any, *args: Any, **kwargs: Any) -> Any:
        """Celery's own hook: acknowledge or reject a message. Called by the thread that begins its task.

        Over Redis that is a note in this process. Celery would wake the loop for each; here the loop is woken when it
        waits for room, once for a row of messages.
        """
        if self._counts_here is None:
            return cast(Any, super()).call_soon_ack(p, *args, **kwargs)
        p(*args, **kwargs)
        hub = cast(Any, self).hub
        if hub and self._counts_here.wants_to_go_on():
            hub.call_soon(_wake_up)
        return None

    def on_send_event_buffered(self) -> Any:
        """Celery's own hook: a task event is in the buffer. Called by any thread."""
        hub = cast(Any, self).hub
        if hub and not self._events_wait:
            self._events_wait = True
            # Timers belong to the thread of the loop.
            hub.call_soon(hub.call_later, _EVENTS_LATE_SECONDS, self._publish_events)

    def _publish_events(self) -> None:
        self._events_wait = False
        cast(Any, self)._flush_events()


def _wake_up() -> None:
    """Nothing to do: the loop looks at everything in each of its rounds."""


def pass_on_unread(message: Any) -> None:
    """Change ``message`` so that ``tasks.accept`` gets its whole text, unread. For events, and for messages without a
    task in their headers, which may be events in protocol 1.

    Otherwise Celery would wait for its eta in memory, drop an expired one, call further tasks and refuse other
    encodings, all without a trace.
    """
    text, headers = celery_messages.text_of(message), message.headers
    task_id = headers.get("id")
    message.headers = {
        "task": celery_messages.TASK,
        # Operators find or revoke the message by this id. Its event has the id that the message says.
        "id": task_id if isinstance(task_id, str) else str(uuid.uuid4()),
        "argsrepr": "-",
        "kwargsrepr": "-",
        "ignore_result": True,
    }
    message.body = json.dumps([[text], {}, {}])
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.errors = []
    message._decoded_cache = None


def discard_unreadable(channel: redis.Channel, answered: Callable[[], None] = lambda: None) -> None:
    """Make ``channel`` discard texts in a Redis list that are no kombu messages. Each one is logged.

    ``answered`` is called after each answer of the broker that is no error, also an empty one.

    Kombu itself raises while it reads such a text, before a consumer sees a message, and that ends the worker. Here
    kombu gets the result of a read without a message instead.
    """
    read = channel.client.response_callbacks["BRPOP"]

    def read_message(answer: Any, **options: Any) -> Any:
        answered()
        found = read(answer, **options)
        return found if not found or read_text(channel, *found) is not None else None

    channel.client.set_response_callback("BRPOP", read_message)


def read_text(channel: redis.Channel, queue: bytes, item: bytes) -> Any:
    """The message, as kombu hands it on, in a text of a Redis list; None, and a line in the log, for any other text."""
    try:
        text = bytes_to_str(item)
        # Kombu's own way to read costs four times as much, and differs only for values that carry their type.
        payload = loads(text) if "__type__" in text else json.loads(text)
        message = channel.Message(payload, channel=channel)
        # Kombu keeps messages under their tags.
        hash(message.delivery_tag)
    except Exception as error:
        # Only a foreign text is read here, so the text is the cause of any error.
        _log.error(
            "discarded: %d bytes in queue %s are no Celery message (%s); its sender has to use Celery or "
            "worker.Producer",
            len(item),
            bytes_to_str(queue),
            type(error).__name__,
        )
        return None
    return payload
