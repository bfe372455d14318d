"""A broker that is not the store, through kombu: RabbitMQ, another Redis, whatever Celery knows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, LifoQueue
from typing import Any

from config import celery as options
from config.addresses import Address
from config.sections import Tls
from worker.store.redis.troubles import trouble_of

_CONNECTIONS = 10
_CONNECT_SECONDS = 3.0
_ARRIVES_SECONDS = 1.0
# A producer with a receipt to give, or a worker's thread, waits until a doorbell is sent.
_PAUSE_SECONDS = 1.0
# AMQP's codes.
_NOT_FOUND, _REFUSED = 404, 403


class BrokerAway(Exception):
    """The broker does not answer, or refuses. The text is the kind of error."""


class BrokerStillAway(BrokerAway):
    """It was unreachable a moment ago, so nothing was tried."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One message: JSON ``body`` and Celery's ``headers`` for a queue."""

    queue: str
    body: Any
    headers: dict[str, Any]
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Depth:
    """Of one queue: ``messages`` that wait, and ``consumers`` that take them, as far as the broker tells."""

    messages: int
    consumers: int


class Reading:
    """The messages of one queue, taken by a consumer, because RabbitMQ gives back in order what a consumer had, and
    in any order what was got one by one."""

    def __init__(self, connection: Any, channel: Any, queue: str) -> None:
        self._connection = connection
        self._channel = channel
        self._queue = queue

    def oldest(self, limit: int) -> list[Any]:
        """At most ``limit`` messages that are not handed out, oldest first, as kombu gives them. Raises ``errors`` of
        ``Broker``, also when fewer arrive than were counted."""
        ready = min(limit, int(self._channel.queue_declare(self._queue, passive=True).message_count))
        if ready <= 0:
            return []
        arrived: list[Any] = []
        tag = uuid.uuid4().hex
        # No more than is waited for: what is on its way when the consumer ends would come back in the wrong place.
        self._channel.basic_qos(0, ready, False)
        self._channel.basic_consume(self._queue, no_ack=False, callback=arrived.append, consumer_tag=tag)
        while len(arrived) < ready:
            self._connection.drain_events(timeout=_ARRIVES_SECONDS)
        self._channel.basic_cancel(tag)
        return [self._channel.message_to_python(message) for message in arrived]


class Broker:
    """Any number of threads share its few connections; none is opened before the first call.

    After a failure nothing is tried for a second, so that an unreachable broker blocks no thread for long.

    ``address``: where it is.
    """

    def __init__(self, address: Address, tls: Tls) -> None:
        self.address = address
        self._tls = tls
        self._arguments = options.queue_arguments(address)
        self._never_opened: Any = None
        # After a broken connection, Kombu's own pool makes the next thread wait for a free one.
        self._places: LifoQueue[Any] = LifoQueue()
        for _ in range(_CONNECTIONS):
            self._places.put(None)
        self._away_until = 0.0

    def publish(self, publications: Iterable[Publication]) -> None:
        """Publish in order; on AMQP each is confirmed. Raises ``BrokerAway``; then some may have been published."""
        with self._connection() as connection, connection.Producer() as producer:
            for publication in publications:
                producer.publish(
                    publication.body,
                    routing_key=publication.queue,
                    headers=publication.headers,
                    correlation_id=publication.correlation_id,
                    serializer="json",
                    delivery_mode=2,
                    declare=[self._queue(publication.queue)],
                    # A connection that broke while it was unused says so only now.
                    retry=True,
                    retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
                )

    def trouble(self, queues: Iterable[str]) -> str:
        """Why these queues cannot be used: the kind of error, or '' when they can. Makes those that are missing."""
        try:
            for queue in queues:
                self.waiting(queue)
        except BrokerAway as away:
            return str(away)
        return ""

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue. Raises ``BrokerAway``."""
        with self._connection() as connection, connection.channel() as channel:
            return int(self._queue(queue)(channel).queue_declare().message_count)

    def depth(self, queue: str) -> Depth | None:
        """What a queue holds; None when it is not there or may not be looked at. Raises ``BrokerAway``."""
        with self._connection() as connection:
            try:
                with connection.channel() as channel:
                    found = channel.queue_declare(queue, passive=True)
            except connection.channel_errors as error:
                if getattr(error, "code", None) in (_NOT_FOUND, _REFUSED):
                    return None
                raise
            return Depth(int(found.message_count), int(found.consumer_count))

    @contextmanager
    def reading(self, queue: str, *, declare: bool = True) -> Iterator[Reading]:
        """A queue whose messages stay the broker's until acknowledged. ``declare``: make it when it is not there, as
        ours are made.

        What was not acknowledged is back in its place at the end. Raises ``BrokerAway``, at the beginning and at the
        end, and ``errors`` in between.
        """
        with self._connection() as connection, connection.channel() as channel:
            if declare:
                self._queue(queue)(channel).queue_declare()
            yield Reading(connection, channel, queue)

    def errors(self) -> tuple[type[Exception], ...]:
        """What a broker that is unreachable may raise."""
        from kombu.exceptions import KombuError

        known = self._reach()
        return (BrokerAway, KombuError, OSError, *known.connection_errors, *known.channel_errors)

    def close(self) -> None:
        """Close the connections that are unused now."""
        unused = []
        with suppress(Empty):
            while True:
                unused.append(self._places.get_nowait())
        for connection in unused:
            self._put_back(connection, usable=False)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        if time.monotonic() < self._away_until:
            raise BrokerStillAway("as a moment ago")
        try:
            connection = self._places.get(timeout=_CONNECT_SECONDS)
        except Empty:
            raise BrokerAway("all connections in use") from None
        usable = False
        try:
            if connection is None:
                connection = self._reach().clone()
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            yield connection
            usable = True
        except self.errors() as error:
            self._away_until = time.monotonic() + _PAUSE_SECONDS
            raise BrokerAway(trouble_of(error).code) from error
        finally:
            self._put_back(connection, usable=usable)

    def _put_back(self, connection: Any, *, usable: bool) -> None:
        if connection is not None and not usable:
            with suppress(*self.errors()):
                connection.collect()
        self._places.put(connection if usable else None)

    def _reach(self) -> Any:
        # Imported here: a producer with the usual single Redis never loads kombu.
        from kombu import Connection

        if self._never_opened is None:
            reach = options.connection(self.address, self._tls)
            self._never_opened = Connection(**reach, connect_timeout=_CONNECT_SECONDS)
        return self._never_opened

    def _queue(self, name: str) -> Any:
        from kombu import Queue

        return Queue(name, routing_key=name, durable=True, queue_arguments=self._arguments or None)
