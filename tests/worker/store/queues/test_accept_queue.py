"""Where events of foreign producers may lie, over Redis."""

from __future__ import annotations

import json

import pytest
from celery import Celery
from kombu.transport.redis import Channel
from redis import Redis
from redis.exceptions import ResponseError

from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer
from worker.store.queues.accept_queue import AcceptList, Lying
from worker.store.queues.queue_lists import SEPARATOR


@pytest.fixture
def intake(make_settings, store):
    return Intake(Producer(make_settings(), store=store), store, wait_seconds=1)


@pytest.fixture
def send(redis_server, channel):
    """A Celery producer; ``task``: another application's."""
    with Celery(broker=redis_server.url, set_as_current=False) as app:

        def run(target="@lead", task="tasks.accept", **options):
            event = {"kind": "inbound_chat", "persona": "ava", "target": target, "message": "hi", "channel": channel}
            app.send_task(task, args=[event], ignore_result=True, **options)

        yield run


@pytest.fixture
def accepted(store):
    """How many events wait, of all conversations."""
    return lambda: sum(account.waiting for account in store.books.accounts())


def lists(store):
    """What lies in the queues, doorbells left out."""
    names = [name for name in store.redis.scan_iter(_type="list") if not name.startswith("parley:")]
    names = [name for name in names if "tasks.turn" not in store.redis.lindex(name, -1)]
    return {name: store.redis.llen(name) for name in names}


def test_the_lists_have_kombus_names():
    assert Channel.sep == SEPARATOR


@pytest.mark.parametrize("queue", ["accept", "celery", "turns"])
@pytest.mark.parametrize("priority", range(1, 10))
@pytest.mark.parametrize("steps", [None, list(range(10))])
def test_an_event_with_a_priority_is_taken_in(intake, store, redis_server, channel, accepted, queue, priority, steps):
    with Celery(broker=redis_server.url, set_as_current=False) as app:
        app.conf.broker_transport_options = {"priority_steps": steps} if steps else {}
        event = {"kind": "ai_opener", "persona": "ava", "target": "@lead", "channel": channel}
        app.send_task("tasks.accept", args=[event], queue=queue, priority=priority, ignore_result=True)
    if lists(store) == {"turns": 1}:
        # The first of kombu's own steps is the queue itself, which workers read.
        return
    assert store.agenda.look().accept
    assert intake.take_in() == 1
    assert (accepted(), lists(store)) == (1, {})


def test_an_event_that_names_no_queue_is_taken_in(intake, store, send, accepted):
    send()
    assert lists(store) == {"celery": 1}
    assert store.agenda.look().accept
    assert intake.take_in() == 1
    assert (accepted(), lists(store)) == (1, {})


def test_tasks_of_another_application_stay_in_their_place(intake, store, send, accepted):
    for number in range(3):
        send(task=f"shop.{number}")
        send(f"@lead-{number}")
    store.redis.lpush("celery", "no message at all")
    assert intake.take_in() == 3
    assert accepted() == 3
    left = store.redis.lrange("celery", 0, -1)[::-1]
    assert [json.loads(message)["headers"]["task"] for message in left[:3]] == ["shop.0", "shop.1", "shop.2"]
    assert left[3] == "no message at all"


def test_others_are_not_read_at_each_tick(intake, store, send, accepted):
    send(task="shop.order")
    assert intake.take_in() == 0
    send()
    assert intake.take_in() == 0
    assert 0 < store.redis.pttl("parley:accept:passed_over") <= 5000
    send("@by-accept", queue="accept")
    assert intake.take_in() == 1, "the queue accept waits for nobody"
    store.redis.delete("parley:accept:passed_over")
    assert intake.take_in() == 1
    assert accepted() == 2


def test_more_than_one_batch_of_others_is_passed_over(intake, store, send, accepted):
    message = json.dumps({"body": "", "headers": {"task": "shop.order", "id": "1"}, "properties": {}})
    store.redis.lpush("celery", *[message] * 250)
    send()
    assert intake.take_in() == 1
    assert store.redis.llen("celery") == 250


def test_a_backlog_of_others_is_looked_into_up_to_a_bound(intake, store, send):
    message = json.dumps({"body": "", "headers": {"task": "shop.order", "id": "1"}, "properties": {}})
    store.redis.lpush("celery", *[message] * 1200)
    send()
    assert intake.take_in() == 0
    assert store.redis.llen("celery") == 1201


def test_what_is_no_event_is_refused_only_where_all_is_parleys(intake, store, send):
    send(queue="accept", task="shop.order", priority=9)
    assert intake.take_in() == 1
    assert [letter.kind for letter in store.dead_letters.newest()] == ["refused"]


def test_the_oldest_come_first_one_list_after_the_other(store):
    store.redis.lpush("accept", "1", "2")
    store.redis.lpush(f"accept{SEPARATOR}9", "3")
    store.redis.lpush("celery", "4")
    queue = store.accept_queue
    assert queue.become_reader()
    assert [message.text for message in queue.oldest(10)] == ["1", "2", "3", "4"]
    assert [message.text for message in queue.oldest(2)] == ["1", "2"]
    queue.done(Lying("1", "accept"))
    assert [message.text for message in queue.oldest(2)] == ["2", "3"]


@pytest.fixture
def older_user(redis_server, store):
    """A client with the rights that were documented before ``celery`` was read."""
    store.redis.execute_command(
        "ACL", "SETUSER", "older", "on", ">word", "resetkeys", "~parley:*", "~turns*", "~accept*", "+@all"
    )
    url = redis_server.url.replace("redis://", "redis://older:word@")
    with Redis.from_url(url, decode_responses=True) as redis:
        yield redis, url
    store.redis.execute_command("ACL", "DELUSER", "older")


def test_a_user_who_may_not_look_into_celery_reads_the_rest(store, older_user):
    store.redis.lpush("accept", "1")
    store.redis.lpush("celery", "2")
    queue = AcceptList(older_user[0])
    assert queue.become_reader()
    assert [message.text for message in queue.oldest(10)] == ["1"]


def test_a_user_who_may_not_look_into_celery_still_sees_what_is_due(make_store, store, older_user, caplog):
    store.redis.lpush("accept", "1")
    theirs = make_store(redis_url=older_user[1])
    for _ in range(2):
        assert theirs.agenda.look().accept
    assert len([line for line in caplog.messages if "queue celery not looked into" in line]) == 1


def test_a_key_of_that_name_that_is_no_queue_holds_up_nothing(store):
    store.redis.set("celery", "no list")
    store.redis.lpush("accept", "1")
    queue = store.accept_queue
    assert queue.become_reader()
    assert [message.text for message in queue.oldest(10)] == ["1"]


def test_a_queue_that_is_no_list_is_an_error_of_the_store(store):
    store.redis.set("accept", "foreign")
    token = store.accept_queue.become_reader()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        store.accept_queue.oldest(10)
    store.accept_queue.stop_reading(token)
