"""What takes messages off the broker. Whatever is no message of Celery is thrown away and never ends the worker."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

from celery.worker.consumer import Consumer
from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

_log = logging.getLogger("parley.worker")


_Steps: Any = cast(Any, Consumer).Blueprint

# Whoever watches does not see it; a busy worker then publishes tens of times a second, not once for each task.
_EVENTS_LATE_SECONDS = 0.05


class CarefulConsumer(Consumer):
    """Throws a message away that kombu or Celery stumbles over, where they would end the worker, and publishes task
    events together.
    """

    _events_wait = False

    class Blueprint(_Steps):  # type: ignore[misc]
        """Celery's own steps, but for the one that makes 28 queues on RabbitMQ for countdowns: nobody uses any."""

        default_steps = tuple(step for step in _Steps.default_steps if not step.endswith(":DelayedDelivery"))

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Celery's own hook: what takes each message, asked for anew with each connection to the broker."""
        channel = cast(Any, self).task_consumer.channel
        if isinstance(channel, redis.Channel):
            throw_away_unreadable(channel)
        handle = super().create_task_handler(*args, **kwargs)
        # A loop that ends with an error forgets what it was asked to call soon, and no other event would ask again.
        self._events_wait = False

        def take(message: Any) -> None:
            try:
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


def throw_away_unreadable(channel: redis.Channel) -> None:
    """Let ``channel`` pass over what lies in a Redis list and cannot become a kombu message; each is logged.

    Kombu itself has no guard there: it raises while it reads, before any consumer sees a message, and ends the worker.
    To kombu such a read then looks like one during which nothing came.
    """
    read = channel.client.response_callbacks["BRPOP"]

    def read_message(answer: Any, **options: Any) -> Any:
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
            "Celery or worker.producer",
            len(item),
            bytes_to_str(queue),
            type(error).__name__,
        )
        return False
    return True
