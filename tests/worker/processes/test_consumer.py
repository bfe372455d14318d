"""What lies in a Redis list and is no message: passed over, whatever it is."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace

import pytest
from amqp.exceptions import AccessRefused
from celery import Celery
from celery.bootsteps import RUN, TERMINATE
from celery.worker.consumer import Consumer as CeleryConsumer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu import Connection, Consumer, Queue
from kombu.asynchronous import Hub
from kombu.exceptions import OperationalError
from redis import exceptions

from config.celery import options
from worker.processes.consumer import CarefulConsumer, discard_unreadable, pass_on_unread
from worker.store.queues import celery_messages, decompression
from worker.store.redis.troubles import trouble_of

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
parts = st.fixed_dictionaries(
    {"properties": any_json | st.fixed_dictionaries({"delivery_tag": any_json}, optional={"body_encoding": any_json})},
    optional=dict.fromkeys(("body", "headers", "content-type", "content-encoding"), any_json),
)
items = st.binary(min_size=1, max_size=30) | any_json.map(json.dumps) | parts.map(json.dumps)


@pytest.fixture
def take(store, redis_server):
    """Put items into a list, a good message behind them, and consume until that one is there. Returns what came."""
    with Connection(redis_server.url, transport_options={"ack_emulation": False}) as connection:
        channel = connection.channel()
        discard_unreadable(channel)
        came = []
        queue = Queue("hostile", routing_key="hostile")
        consumer = Consumer(channel, [queue], on_message=came.append, no_ack=True)
        consumer.consume()

        def run(batch):
            came.clear()
            tag = str(uuid.uuid4())
            good = json.dumps({"body": "good", "properties": {"delivery_tag": tag}, "headers": {}})
            store.redis.lpush("hostile", *batch, good)
            while not came or came[-1].delivery_tag != tag:
                connection.drain_events(timeout=5)
            return list(came)

        yield run
        consumer.cancel()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(items, max_size=4))
def test_a_message_behind_anything_at_all_is_consumed(take, batch):
    assert take(batch)[-1].body == b"good"


def test_it_is_logged_without_a_word_of_it(take, caplog):
    take(["PLANTED words", '{"PLANTED": 1}', "[1]"])
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split("(")[1].split(")")[0] for line in lines] == ["JSONDecodeError", "KeyError", "TypeError"]
    assert all("in queue hostile" in line for line in lines)
    assert "PLANTED" not in caplog.text


def test_without_the_guard_the_first_of_them_ends_whoever_consumes(store, redis_server):
    """As long as this fails in kombu, the guard is needed."""
    with Connection(redis_server.url, transport_options={"ack_emulation": False}) as connection:
        consumer = Consumer(connection.channel(), [Queue("hostile", routing_key="hostile")], no_ack=True)
        consumer.consume()
        store.redis.lpush("hostile", "[1]")
        with pytest.raises(TypeError):
            connection.drain_events(timeout=5)
        consumer.cancel()


@pytest.fixture
def telling(monkeypatch):
    """A consumer that has nothing but a loop; each publication of its task events counts."""
    monkeypatch.setattr(CeleryConsumer, "create_task_handler", lambda self: None)
    consumer, published = CarefulConsumer.__new__(CarefulConsumer), []
    consumer.hub, consumer.task_consumer = Hub(), SimpleNamespace(channel=None)
    consumer.event_dispatcher = SimpleNamespace(flush=lambda: published.append("all that waits"))
    yield consumer, published
    consumer.hub.close()


def test_task_events_of_one_moment_are_published_once(telling, eventually):
    consumer, published = telling
    for _ in range(5):
        consumer.on_send_event_buffered()
    eventually(lambda: consumer.hub.run_once() or published, "they are published")
    consumer.on_send_event_buffered()
    eventually(lambda: consumer.hub.run_once() or len(published) > 1, "so is the next one")
    assert len(published) == 2


def test_task_events_are_published_again_after_a_loop_that_broke(telling, eventually):
    consumer, published = telling
    consumer.on_send_event_buffered()
    broken, consumer.hub = consumer.hub, Hub()
    broken.timer.clear()
    consumer.create_task_handler()
    consumer.on_send_event_buffered()
    eventually(lambda: consumer.hub.run_once() or published, "they are published")


class Steps:
    """Celery's steps of a consumer: each error ends one start, the last start ends the loop."""

    def __init__(self, errors):
        self.errors, self.state, self.starts = list(errors), RUN, 0

    def start(self, consumer):
        self.starts += 1
        if self.errors:
            raise self.errors.pop(0)
        consumer.task_consumer = SimpleNamespace(channel=None)
        consumer.strategies = {"any task": lambda *_: None}
        a_message = SimpleNamespace(headers={"task": "any task"}, ack_log_error=None, reject_log_error=None)
        consumer.create_task_handler()(a_message)
        self.state = TERMINATE

    def restart(self, consumer):
        pass


@pytest.fixture
def make_consumer(make_settings):
    """Consumers as a worker makes them, without their pauses, whose connections break as told."""

    class Hasty(CarefulConsumer):
        pauses_seconds = (0.0,)

    app = Celery(set_as_current=False)
    app.conf.update(options(make_settings()))

    def make(errors):
        pool = SimpleNamespace(is_green=False, num_processes=1, flush=None)
        careful = Hasty(None, app=app, pool=pool, controller=SimpleNamespace(semaphore=None, use_eventloop=False))
        careful.blueprint = Steps(errors)
        return careful

    yield make
    app.close()


@pytest.mark.parametrize(
    "error",
    [
        exceptions.OutOfMemoryError("command not allowed"),
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
        exceptions.ResponseError("UNBLOCKED force unblock from blocking operation"),
        exceptions.ResponseError("a sentence of a server to come"),
        exceptions.NoPermissionError("no permissions"),
        exceptions.AuthenticationError("invalid username-password pair"),
        exceptions.BusyLoadingError("loading"),
        exceptions.MasterDownError("down"),
        exceptions.ClusterDownError("down"),
        exceptions.RedisError("another one"),
        OperationalError("retries used up"),
        AccessRefused("of RabbitMQ"),
        ConnectionResetError("broken"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:40],
)
@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_it_holds_on_whatever_the_broker_answers(make_consumer, caplog, error, connected):
    careful = make_consumer([error] * 4)
    careful.connection = SimpleNamespace(collect=lambda **_: None, close=lambda: None) if connected else None
    careful.start()
    assert careful.blueprint.starts == 5
    lines = [record.getMessage() for record in caplog.records if record.name == "parley.worker"]
    assert len(lines) == 2, "once, and once that it is over"
    assert lines[0] == "broker " + trouble_of(error).told("no doorbell is taken, this worker waits for it")
    assert lines[1].startswith("broker answers again after ")


@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_it_holds_on_when_celery_finds_that_it_restarts_too_often(make_consumer):
    """From the sixth time in a second on, Celery itself waits for a second."""
    careful = make_consumer([exceptions.ReadOnlyError()] * 7)
    careful.connection = None
    careful.start()
    assert careful.blueprint.starts == 8


def test_a_fault_of_our_own_is_none_of_the_broker(make_consumer):
    with pytest.raises(ZeroDivisionError):
        make_consumer([ZeroDivisionError()]).start()


# Acknowledgements


@pytest.mark.parametrize("waits_for_room", [True, False])
def test_over_redis_a_message_is_acknowledged_at_once_and_the_loop_woken_when_it_waits(
    make_consumer, redis_server, waits_for_room
):
    with Connection(redis_server.url, transport_options={"ack_emulation": False, "priority_steps": [0]}) as connection:
        channel, acknowledged, woken = connection.channel(), [], []
        Consumer(channel, [Queue("turns", routing_key="turns")]).consume()
        if not waits_for_room:
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.05)
        careful = make_consumer([])
        careful.hub = SimpleNamespace(call_soon=woken.append)
        careful.task_consumer, careful.strategies = SimpleNamespace(channel=channel), {}
        careful.create_task_handler()
        careful.call_soon_ack(acknowledged.append, "tag")
    assert acknowledged == ["tag"]
    assert len(woken) == waits_for_room


def test_over_another_broker_the_loop_acknowledges(make_consumer):
    """Its connection belongs to the thread of the loop."""
    careful, acknowledged = make_consumer([]), []
    careful.hub = Hub()
    careful.call_soon_ack(acknowledged.append, "tag")
    assert not acknowledged
    careful.hub.run_once()
    assert acknowledged == ["tag"]


# An event that came by a queue that workers read


@pytest.fixture
def received(redis_server, store):
    """What a worker's consumer is given of what a Celery producer sent, and the list that it lay in."""

    def run(conf=None, **options):
        decompression.bound()
        with Celery(broker=redis_server.url, set_as_current=False) as app:
            app.conf.update(conf or {})
            app.send_task("tasks.accept", **{"args": [{"kind": "ü"}], "queue": "turns", **options})
        text = store.redis.rpop("turns")
        with Connection(redis_server.url) as connection:
            channel = connection.channel()
            return channel.Message(json.loads(text), channel=channel), text

    return run


@pytest.mark.parametrize("protocol", [1, 2])
@pytest.mark.parametrize("compression", [None, "bzip2"])
def test_it_is_read_as_one_of_the_queue_accept(received, protocol, compression):
    options = {"countdown": 3600, "expires": 7200, "task_id": "t1", "compression": compression}
    message, text = received({"task_protocol": protocol}, **options)
    pass_on_unread(message)
    (handed_over,), keywords, _ = message.payload
    assert keywords == {}
    assert celery_messages.read(handed_over) == celery_messages.read(text)
    assert message.headers["task"] == "tasks.accept"
    assert not {"eta", "expires", "compression"} & message.headers.keys(), "nothing that Celery would act on"
    assert "ü" not in repr(message.headers)


@pytest.mark.parametrize("serializer", ["pickle", "yaml"])
def test_what_it_is_refused_for_is_the_same(received, serializer):
    if serializer == "yaml":
        pytest.importorskip("yaml")
    message, text = received(serializer=serializer)
    pass_on_unread(message)
    reasons = []
    for each in (message.payload[0][0], text):
        with pytest.raises(celery_messages.UnreadableMessage) as caught:
            celery_messages.read(each)
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]
    assert serializer in reasons[0]


def test_a_bomb_reaches_the_reader_packed(received):
    message, _ = received(args=["x" * (decompression.MOST_BYTES + 1)], compression="zlib")
    pass_on_unread(message)
    with pytest.raises(celery_messages.UnreadableMessage, match="unpacked, its body has more than"):
        celery_messages.read(message.payload[0][0])
