"""What a worker tells those who watch tasks: all of it, soon, and a little at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from celery import Celery

from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

LEADS = 60
TYPES = ("task-received", "task-started", "task-succeeded")
SETTINGS = {"PARLEY_WORKER__TASK_EVENTS": "true", "PARLEY_JOIN__SETTLE_SECONDS": "0"}


class Audience:
    """Counts the task events that Celery's own receiver reads, by type and task."""

    def __init__(self) -> None:
        self.heard: Counter[tuple[str, str]] = Counter()

    def listen(self, event: dict[str, Any]) -> None:
        self.heard[event["type"], event["uuid"]] += 1

    def ends(self) -> int:
        return sum(kind == "task-succeeded" for kind, _ in self.heard)


@contextmanager
def listening(url: str) -> Iterator[Audience]:
    """An audience in its place."""
    app, audience = Celery(broker=url), Audience()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers=dict.fromkeys(TYPES, audience.listen))
        thread = threading.Thread(target=lambda: receiver.capture(wakeup=False))
        thread.start()
        try:
            client = redis.Redis.from_url(url)
            while not client.pubsub_numpat():
                assert thread.is_alive()
            yield audience
        finally:
            receiver.should_stop = True
            thread.join(10)
            client.close()
    app.close()


def test_three_events_for_each_turn_each_once(start: Callable[..., Any], channel, eventually):
    system, settings = start(settings=SETTINGS)
    with listening(system.redis.url) as audience, Producer(settings) as producer:
        chats = [InboundChat(persona="ava", target=f"@{n}", message="Hi", channel=channel) for n in range(LEADS)]
        producer.enqueue_many(chats)
        eventually(lambda: audience.ends() == LEADS, "the end of each turn")
    assert set(audience.heard.values()) == {1}
    assert Counter(kind for kind, _ in audience.heard) == dict.fromkeys(TYPES, LEADS)


def test_they_go_out_together_when_there_are_many(start, channel, eventually):
    system, settings = start(settings=SETTINGS)
    client = redis.Redis.from_url(system.redis.url)

    def published() -> int:
        return int(client.info("commandstats").get("cmdstat_publish", {"calls": 0})["calls"])

    with listening(system.redis.url) as audience, Producer(settings) as producer:
        before = published()
        chats = [InboundChat(persona="ava", target=f"@{n}", message="Hi", channel=channel) for n in range(LEADS)]
        producer.enqueue_many(chats)
        eventually(lambda: audience.ends() == LEADS, "the end of each turn")
        assert published() - before < LEADS
    client.close()


def test_they_go_on_after_the_connection_broke(start, channel, eventually):
    system, settings = start(settings=SETTINGS)
    client = redis.Redis.from_url(system.redis.url)
    for number in range(4):
        with Producer(settings) as producer:
            producer.enqueue(InboundChat(persona="ava", target=f"@before-{number}", message="Hi", channel=channel))
        # With the events of this turn in the buffer, or not yet, or no longer.
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with listening(system.redis.url) as audience, Producer(settings) as producer:
            producer.enqueue(InboundChat(persona="ava", target=f"@after-{number}", message="Hi", channel=channel))
            eventually(audience.ends, "a turn that is told of")
    client.close()
