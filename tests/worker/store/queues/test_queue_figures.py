"""What lies in queues, and what of it nobody reads."""

from __future__ import annotations

import json

import pytest
from celery import Celery
from redis.exceptions import ResponseError

from worker.store.queues.queue_figures import ListLook, QueueFigures
from worker.store.queues.queue_lists import SEPARATOR


@pytest.fixture
def send(redis_server):
    """A Celery producer."""
    with Celery(broker=redis_server.url, set_as_current=False) as app:
        yield lambda task="tasks.accept", **options: app.send_task(task, args=[{}], ignore_result=True, **options)


def test_queues_that_are_read_are_no_news(store, send):
    for queue in ("turns", "accept", "celery"):
        send(queue=queue)
    send(queue="accept", priority=9)
    send(queue="turns", priority=9)
    found = store.queues.look()
    assert found.waiting == {"turns": 1, "outreach": 0, "schedule": 0, "accept": 4}
    assert (found.unread, found.complete) == ({}, True)


def test_a_mistyped_queue_is_named(store, send):
    for _ in range(2):
        send(queue="acept")
    send(queue="outreach", priority=3)
    assert store.queues.look().unread == {"acept": 2, "outreach (priority 3)": 1}
    store.redis.delete("acept")
    assert store.queues.look().unread == {"outreach (priority 3)": 1}


def test_what_is_no_event_in_a_shared_queue_is_named(store, send):
    send("shop.order", queue="celery")
    send(queue="celery")
    send("tasks.turn", queue="turns", priority=9)
    found = store.queues.look()
    assert found.unread == {"celery": 1, "turns (priority 9)": 1}
    assert found.waiting["accept"] == 1


def test_behind_many_of_others_all_are_taken_for_theirs(store):
    message = json.dumps({"body": "", "headers": {"task": "shop.order", "id": "1"}, "properties": {}})
    store.redis.lpush("celery", *[message] * 150)
    assert store.queues.look().unread == {"celery": 150}


@pytest.mark.parametrize("item", ["words", "{}", json.dumps({"data": 1}), b"\xff"])
def test_other_lists_of_the_database_are_nobodys_business(store, item):
    store.redis.lpush("a cache", item)
    store.redis.lpush("uuid.reply.celery.pidbox", '{"body": "", "properties": {}}')
    assert store.queues.look().unread == {}


def test_what_waits_in_inboxes_is_no_queue(store, chat):
    store.inbox.accept(chat())
    assert store.queues.look().unread == {}


def test_a_large_store_is_walked_in_parts(store, send):
    store.redis.mset({f"key-{number}": "" for number in range(9000)})
    send(queue="acept")
    look = ListLook(store.redis, is_store=True)
    looks = [look.look(seconds=0) for _ in range(9000 // 2000 + 2)]
    assert not looks[0].complete
    assert looks[-1].complete
    assert looks[-1].unread == {"acept": 1}


def test_a_broker_that_is_away_says_nothing(make_store):
    store = make_store(broker_url="redis://127.0.0.1:1/0")
    found = store.queues.look()
    assert (found.waiting, found.unread, found.complete) == ({}, {}, False)


def test_the_name_of_a_list_is_shown_as_people_read_it(store, send):
    store.redis.lpush(f"a{SEPARATOR}3", '{"body": "", "properties": {}}')
    assert store.queues.look().unread == {"a (priority 3)": 1}


def refuse(*_, **__):
    raise ResponseError("NOPERM PLANTED")


def test_a_store_that_does_not_answer_is_an_error_and_a_broker_is_not(store, monkeypatch):
    monkeypatch.setattr(store.redis, "pipeline", refuse)
    with pytest.raises(ResponseError):
        store.queues.look()
    assert ListLook(store.redis, is_store=False).look() == QueueFigures()


def test_a_list_that_may_not_be_looked_into_is_nobodys_business(store, send, monkeypatch):
    send(queue="acept")
    monkeypatch.setattr(store.redis, "lindex", refuse)
    assert store.queues.look().unread == {}


def test_a_walk_through_many_keys_goes_on_with_the_next_look(store, send):
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(60_000):
            pipeline.set(f"other:{number}", "")
        pipeline.execute()
    send(queue="acept")
    looks = [store.queues.look(seconds=0.0)]
    while not looks[-1].complete:
        looks.append(store.queues.look(seconds=0.05))
    assert len(looks) > 1
    assert looks[-1].unread == {"acept": 1}
