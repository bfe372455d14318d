"""RabbitMQ as broker, Redis as store: order and bookkeeping as ever, doorbells and foreign events over AMQP."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection, Queue

from config.addresses import parse
from config.settings import Privacy, Tls
from simulation.load import run_load
from tests.acceptance import over_http
from worker.domain.conversation import Conversation
from worker.domain.handles import Handles
from worker.processes.start_up import examine
from worker.store import Store
from worker.store.queues.broker import Broker, BrokerAway, Publication
from worker.store.queues.doorbells import BrokerDoorbells

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

SETTINGS = {"PARLEY_JOIN__MAX_EVENTS": "1", "PARLEY_JOIN__SETTLE_SECONDS": "0"}
ROOT = Path(__file__).parents[2]
QUEUES = ("turns", "outreach", "schedule", "accept")


@pytest.fixture
def connection(rabbitmq):
    """An operator's own connection, to a server without queues of ours."""
    with Connection(rabbitmq.url) as operator:
        for queue in (*QUEUES, "celery"):
            operator.default_channel.queue_delete(queue)
        yield operator


@pytest.fixture
def broker(rabbitmq, connection):
    with closing(Broker(parse(rabbitmq.url), Tls())) as found:
        yield found


def over(rabbitmq):
    return {**SETTINGS, "PARLEY_BROKER_URL": rabbitmq.url}


def texts(system):
    return [message["text"] for delivery in system.upstreams.deliveries("session-1") for message in delivery.messages]


@pytest.mark.timeout(240)
def test_a_killed_worker_and_a_killed_broker_lose_and_overtake_nothing(start, rabbitmq, connection):
    system, settings = start(settings=over(rabbitmq), latency_seconds=0.2, workers=2)
    done = []

    def meanwhile():
        calls = system.upstreams.summary()["fluidtalk"].calls
        if not done and calls > 60:
            system.workers[0].kill()
            done.append("worker")
        if len(done) == 1 and calls > 150:
            rabbitmq.kill()
            rabbitmq.restart()
            done.append("broker")

    run = run_load(system, settings, messages=300, conversations=30, meanwhile=meanwhile)
    verdict = run.verdict
    assert done == ["worker", "broker"]
    assert (verdict.lost, verdict.undelivered, verdict.overtaken) == (0, 0, 0), verdict
    assert (run.waiting, run.unexplained) == (0, 0)
    assert verdict.doubled <= verdict.asked_twice + verdict.resent, "only what was in the killed worker's hands"
    assert system.workers[1].poll() is None, "the other worker outlived its broker"
    assert system.beats[0].poll() is None, "so did beat"


def test_leads_who_write_over_http_are_answered(start, rabbitmq, connection):
    system, _ = start(settings=over(rabbitmq), webs=1)
    over_http.write_and_be_answered(system)


@pytest.mark.timeout(240)
def test_foreign_events_keep_their_order_and_survive_the_worker_that_reads_them(
    start, rabbitmq, connection, channel, eventually
):
    system, _ = start(settings=over(rabbitmq), workers=2)
    sent = [f"message {number}" for number in range(300)]
    with Celery(broker=rabbitmq.url, set_as_current=False) as celery:
        celery.conf.task_create_missing_queue_type = "quorum"
        for number, message in enumerate(sent):
            event = {
                "kind": "inbound_chat",
                "persona": "ava",
                "target": "@lead",
                "message": message,
                "channel": channel,
            }
            celery.send_task("tasks.accept", args=[event], queue="accept", ignore_result=True)
            if number == 150:
                system.workers[0].kill()
    eventually(lambda: len(set(texts(system))) == 300, "all answers", seconds=100)
    asked = [call.fields["message"] for call in system.upstreams.calls() if call.path.endswith("/chat")]
    assert list(dict.fromkeys(asked)) == sent


def test_what_a_reader_leaves_behind_is_back_in_its_place(broker, rabbitmq, make_store, connection, eventually):
    broker.publish([Publication("accept", number, {"id": str(number)}, str(number)) for number in range(5)])
    store = make_store(broker_url=rabbitmq.url)
    queue = store.accept_queue
    token = queue.become_reader()
    first, *_ = queue.oldest(3)
    queue.done(first)
    queue.stop_reading(token)
    assert queue.become_reader() is None, "not before what was handed out is surely back"
    eventually(lambda: broker.waiting("accept") == 4, "the messages that were not done")
    store.redis.delete("parley:accept:reader")
    token = queue.become_reader()
    (again,) = queue.oldest(1)
    assert base64.b64decode(json.loads(again.text)["body"]) == b"1"
    queue.done(again)
    queue.stop_reading(token)
    assert queue.become_reader()


@pytest.mark.parametrize("ends", ["stops", "loses its connection"])
def test_all_that_a_reader_leaves_is_back_in_order(broker, rabbitmq, make_store, connection, eventually, ends):
    """More than 32 at a time: RabbitMQ keeps fewer in order by chance."""
    texts = [str(number) for number in range(100)]
    broker.publish([Publication("accept", text, {"id": text}, text) for text in texts])
    queue = make_store(broker_url=rabbitmq.url).accept_queue
    token = queue.become_reader()
    assert len(queue.oldest(100)) == 100
    if ends == "loses its connection":
        rabbitmq.control("close_all_connections", "test")
    queue.stop_reading(token)
    eventually(lambda: "accept\t100" in rabbitmq.control("list_queues", "name", "messages_ready"), "all messages")
    successor = make_store(broker_url=rabbitmq.url).accept_queue
    found = successor.oldest(100)
    successor.stop_reading("")
    assert [json.loads(base64.b64decode(json.loads(one.text)["body"])) for one in found] == texts


@pytest.mark.timeout(120)
def test_what_arrives_while_a_reader_ends_stays_behind_what_it_had(
    broker, rabbitmq, make_store, connection, eventually
):
    """Nothing is on its way to a reader that no longer looks, so nothing comes back in a wrong place."""
    texts = [str(number) for number in range(3000)]
    publications = [Publication("accept", text, {"id": text}, text) for text in texts]
    sender = threading.Thread(target=broker.publish, args=(publications,))
    sender.start()
    store, found = make_store(broker_url=rabbitmq.url), []
    queue = store.accept_queue
    while len(set(found)) < len(texts):
        token = queue.become_reader()
        for is_last in (False, False, False, True):
            handed_out = queue.oldest(100)
            for message in handed_out[: len(handed_out) // 2 if is_last and sender.is_alive() else None]:
                queue.done(message)
                found.append(json.loads(base64.b64decode(json.loads(message.text)["body"])))
        queue.stop_reading(token)
        eventually(
            lambda: "accept\t0" in rabbitmq.control("list_queues", "name", "messages_unacknowledged"), "all back"
        )
        store.redis.delete("parley:accept:reader")
    assert list(dict.fromkeys(found)) == texts, "one whose acknowledgement came too late is known by its id"


@pytest.mark.timeout(120)
def test_events_without_a_queue_are_taken_in_and_others_stay(start, rabbitmq, connection, broker, channel, eventually):
    connection.default_channel.queue_delete("celery")
    system, settings = start(settings=over(rabbitmq))
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": "hi", "channel": channel}
    with Celery(broker=rabbitmq.url, set_as_current=False) as celery:
        for options in ({}, {"countdown": 3600}, {"compression": "zlib"}):
            celery.send_task("tasks.accept", args=[event], ignore_result=True, **options)
        eventually(lambda: texts(system) == ["You said: hi"] * 2, "the answers", seconds=40)
        with closing(Store(settings, connections=1)) as store:
            (letter,) = store.dead_letters.newest()
            assert re.match(r"invalid_event text=InvalidEvent: its eta \(or countdown\) is 3[56]\d\d s", letter.cause)
            celery.send_task("shop.order", args=[event], ignore_result=True)
            celery.send_task("tasks.accept", args=[{**event, "message": "behind"}], ignore_result=True)
            eventually(lambda: "You said: behind" in texts(system), "the one behind")
            eventually(lambda: store.queues.look().unread == {"celery": 1}, "what nobody reads")
    assert broker.depth("celery").messages == 1
    connection.default_channel.queue_delete("celery")
    assert broker.depth("celery") is None
    assert broker.waiting("accept") == 0, "the connection has outlived the question"


@pytest.mark.timeout(120)
def test_the_task_events_of_a_busy_worker_hold_up_no_turn(start, rabbitmq, connection):
    """Whoever publishes one waits for RabbitMQ's confirmation, on a connection that the worker's loop reads, too."""
    system, settings = start(settings={**over(rabbitmq), "PARLEY_WORKER__TASK_EVENTS": "true"})
    run = run_load(system, settings, messages=600, conversations=100, timeout_seconds=60)
    assert run.verdict.clean, run.verdict


def test_our_queues_are_quorum_queues_and_celery_adds_none_that_stay(start, rabbitmq, connection, eventually):
    system, _ = start(settings=over(rabbitmq))
    eventually(lambda: "worker ready" in system.log_of("worker"), "the worker")
    kinds = dict(line.split("\t") for line in rabbitmq.control("list_queues", "name", "type"))
    lasting = {name: kind for name, kind in kinds.items() if "celery.pidbox" not in name}
    assert lasting == dict.fromkeys(QUEUES, "quorum") | {name: "quorum" for name in lasting if name in QUEUES}


def test_doorbells_are_confirmed_and_go_on_after_a_restart(broker, rabbitmq, caplog, eventually):
    doorbells = BrokerDoorbells(broker, Handles(Privacy()))
    rings = [(Conversation("ava", "@lead"), "turns")]
    # RabbitMQ writes down a moment later that a queue was made; here they are older than that, as in real life.
    assert not broker.trouble(QUEUES)
    rabbitmq.restart()
    eventually(lambda: not broker.trouble(QUEUES), "the queues after the restart", seconds=20)
    doorbells.ring(rings)
    assert doorbells.backlog(["turns", "outreach"]) == 1
    rabbitmq.kill()
    started = time.monotonic()
    for _ in range(100):
        doorbells.ring(rings)
    assert time.monotonic() - started < 25, "who rings is not held up by a broker that is away"
    assert doorbells.backlog(["turns"]) == 0
    assert "the agenda will ring again" in caplog.text
    with pytest.raises(BrokerAway):
        broker.waiting("turns")
    rabbitmq.restart()
    kept = eventually(lambda: doorbells.backlog(["turns"]), "the first one, which was on disk", seconds=30)
    doorbells.ring(rings)
    eventually(lambda: doorbells.backlog(["turns"]) > kept, "the next one", seconds=20)


def test_check_says_what_is_wrong_with_the_broker(broker, rabbitmq, connection, make_settings):
    def look():
        settings = make_settings(broker_url=rabbitmq.url)
        with closing(Store(settings, connections=1)) as store:
            found, _ = examine(settings, store)
        (finding,) = [one for one in found if one.check == "broker"]
        return finding

    assert look().level == "ok"
    connection.default_channel.queue_delete("turns")
    Queue("turns", durable=True)(connection.default_channel).queue_declare()
    wrong = look()
    assert wrong.level == "failure"
    assert "delete those queues" in wrong.remedy
    assert "guest:" not in repr(wrong)


def test_a_user_needs_no_more_than_the_documented_rights(start, rabbitmq, connection, eventually):
    rights = re.search(r"^\^\(turns.*$", (ROOT / "docs" / "stores.md").read_text(), re.MULTILINE)[0]
    rabbitmq.control("add_vhost", "parley")
    rabbitmq.control("add_user", "parley", "word")
    rabbitmq.control("set_permissions", "--vhost", "parley", "parley", rights, rights, rights)
    url = f"amqp://parley:word@127.0.0.1:{rabbitmq.port}/parley"
    settings = {**SETTINGS, "PARLEY_BROKER_URL": url, "PARLEY_WORKER__TASK_EVENTS": "true"}
    system, settings = start(settings=settings, latency_seconds=0.05)
    run = run_load(system, settings, messages=60, conversations=20)
    assert run.verdict.clean, run.verdict
    logs = system.log_of("worker") + system.log_of("beat")
    assert "ACCESS_REFUSED" not in logs
    assert "AccessRefused" not in logs
