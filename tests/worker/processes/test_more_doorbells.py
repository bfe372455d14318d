"""Doorbells that wait behind one another are taken together, each of them once and in order."""

from __future__ import annotations

import json
import math
import threading
import uuid

import pytest
from kombu import Connection, Consumer, Queue

from worker.processes.consumer import discard_unreadable, read_text
from worker.processes.more_doorbells import MoreDoorbells


def text_of(number: int, queue: str = "turns") -> str:
    delivery = {"exchange": queue, "routing_key": queue}
    properties = {"delivery_tag": str(uuid.uuid4()), "delivery_info": delivery}
    return json.dumps({"body": str(number), "properties": properties, "headers": {}})


@pytest.fixture
def consume(store, redis_server):
    """Consume from a queue until so many messages came; each is followed by what waits behind it. Returns their bodies
    and how often Redis ran BRPOP and RPOP."""
    transport = {"ack_emulation": False, "priority_steps": [0]}

    def run(queue, number, *, pause_seconds=math.inf, prefetch=0, acknowledge=True):
        came = []
        with Connection(redis_server.url, transport_options=transport) as connection:
            channel = connection.channel()
            discard_unreadable(channel)
            more = MoreDoorbells(channel, lambda text: read_text(channel, b"turns", text), pause_seconds)

            def take(message):
                came.append(int(message.body))
                if acknowledge:
                    message.ack()
                more.follow(message)

            consumer = Consumer(channel, [Queue(queue, routing_key=queue)], on_message=take, prefetch_count=prefetch)
            consumer.consume()
            store.redis.config_resetstat()
            while len(came) < number:
                connection.drain_events(timeout=5)
            consumer.cancel()
        commands = store.redis.info("commandstats")
        return came, *(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("brpop", "rpop"))

    return run


def test_more_are_taken_each_time_and_never_more_than_eight(store, consume):
    store.redis.lpush("turns", *(text_of(number) for number in range(60)))
    came, brpop, rpop = consume("turns", 60)
    assert came == list(range(60))
    # 1 + 1, 1 + 2, 1 + 4, then 1 + 8 until all are there.
    assert brpop == rpop == 3 + math.ceil((60 - 10) / 9)


def test_one_is_asked_for_again_when_fewer_were_there(store, consume):
    store.redis.lpush("turns", *(text_of(number) for number in range(4)))
    _, brpop, rpop = consume("turns", 4)
    # 1 + 1, 1 + 1 of 2.
    assert (brpop, rpop) == (2, 2)


def test_what_came_after_a_pause_is_followed_by_nothing(store, consume):
    later = threading.Timer(0.1, store.redis.lpush, ["turns", text_of(1), text_of(2), text_of(3)])
    later.start()
    came, brpop, rpop = consume("turns", 1, pause_seconds=0.05)
    later.join()
    assert (came, brpop, rpop) == ([1], 1, 0)
    assert store.redis.llen("turns") == 2


def test_other_queues_are_left_to_kombu(store, consume):
    store.redis.lpush("outreach", text_of(1, "outreach"), text_of(2, "outreach"))
    store.redis.lpush("turns", text_of(3))
    assert consume("outreach", 2) == ([1, 2], 2, 0)
    assert store.redis.llen("turns") == 1


def test_no_more_are_taken_than_kombu_may_hold(store, consume):
    store.redis.lpush("turns", *(text_of(number) for number in range(20)))
    came, _, _ = consume("turns", 6, prefetch=6, acknowledge=False)
    assert came == list(range(6))
    assert store.redis.llen("turns") == 14


def test_what_is_no_message_is_discarded_and_the_others_come(store, consume):
    hostile = ["PLANTED", "[1]", '{"properties": 1}']
    store.redis.lpush("turns", text_of(1), *hostile, text_of(2), *hostile, text_of(3))
    came, _, _ = consume("turns", 3)
    assert came == [1, 2, 3]


def test_a_server_that_refuses_the_command_leaves_it_all_to_kombu(store, consume):
    store.redis.lpush("turns", text_of(1), text_of(2))
    store.redis.execute_command("ACL", "SETUSER", "default", "-rpop")
    try:
        came, brpop, _ = consume("turns", 2)
    finally:
        store.redis.execute_command("ACL", "SETUSER", "default", "+rpop")
    assert (came, brpop) == ([1, 2], 2)


# Whether the loop, which waits for room, is to go on


@pytest.fixture
def held(store, redis_server):
    """Messages that a worker holds, of as many as it may hold; its connection; and what asks whether kombu goes on."""
    with Connection(redis_server.url, transport_options={"ack_emulation": False, "priority_steps": [0]}) as connection:

        def hold(number, most):
            store.redis.lpush("turns", *(text_of(each) for each in range(number)))
            channel, came = connection.channel(), []
            consumer = Consumer(channel, [Queue("turns", routing_key="turns")], on_message=came.append)
            consumer.consume()
            consumer.qos(prefetch_count=most)
            while len(came) < number:
                connection.drain_events(timeout=5)
            return came, connection, MoreDoorbells(channel, lambda text: None)

        yield hold


def wait_for_messages(connection):
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.05)


@pytest.mark.parametrize(("most", "enough"), [(80, 8), (20, 2), (7, 1), (1, 1)])
def test_it_goes_on_as_soon_as_there_is_room_for_a_row(held, most, enough):
    came, _, more = held(most, most)
    found = []
    for message in came:
        message.ack()
        found.append(more.wants_to_go_on())
    assert found == [False] * (enough - 1) + [True] * (most - enough + 1)


def test_it_need_not_be_told_to_go_on_while_it_waits_for_messages(held):
    came, connection, more = held(1, 2)
    wait_for_messages(connection)
    came[0].ack()
    assert not more.wants_to_go_on()


def test_it_goes_on_when_it_has_asked_and_then_may_hold_fewer(held):
    """Kombu does not read what Redis answers as long as there is no room for it."""
    came, connection, more = held(2, 3)
    wait_for_messages(connection)
    came[0].channel.basic_qos(0, 2, False)
    wait_for_messages(connection)
    came[0].ack()
    assert more.wants_to_go_on()
