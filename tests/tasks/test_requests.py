"""What task events say of how a task went: only what went well is a success."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.app.trace import build_tracer
from celery.worker.request import create_request_cls
from celery.worker.strategy import proto1_to_proto2
from kombu.message import Message

from tasks.requests import TellingRequest, show_refused, shown
from worker.pipeline.told import State, Told


@pytest.fixture
def event_of():
    """Run a task that returns this, as a worker does. Returns the event of its end."""
    app = Celery(broker="memory://", set_as_current=False)

    def run(value):
        def job():
            return value

        task = app.task(job, name="a.task", send_events=True, ignore_result=True, shared=False)
        sent = []
        eventer = SimpleNamespace(enabled=True, send=lambda kind, **fields: sent.append((kind, fields)))
        message = Message("[[], {}, {}]", content_type="application/json", content_encoding="utf-8")
        message.headers = {"task": task.name, "id": "1"}
        pool = SimpleNamespace(apply_async=None)
        kind = create_request_cls(TellingRequest, task, pool, "a-worker", eventer, app=app)
        request = kind(message, app=app, task=task, eventer=eventer, on_ack=lambda *_: None)
        done = build_tracer(task.name, task, app=app)("1", (), {}, {"id": "1", "is_eager": False})
        request.on_success((False, done.retstr, done.runtime))
        return next((kind, fields) for kind, fields in sent if kind.startswith("task-"))

    yield run
    app.close()


@pytest.mark.parametrize(
    ("state", "event", "field", "said"),
    [
        (State.SUCCEEDED, "task-succeeded", "result", "'answered, 0.1 s'"),
        (State.RETRIED, "task-retried", "result", "answered, 0.1 s"),
        (State.IGNORED, "task-ignored", "result", "answered, 0.1 s"),
        (State.FAILED, "task-failed", "exception", "answered, 0.1 s"),
    ],
)
def test_the_event_says_the_state_of_what_the_task_returned(event_of, state, event, field, said):
    kind, fields = event_of(shown(Told("answered, 0.1 s", state)))
    assert (kind, fields[field]) == (event, said)
    assert len({"result", "exception"} & fields.keys()) == 1


def test_a_phrase_that_looks_like_a_state_is_a_phrase(event_of):
    kind, fields = event_of("failed: so it says")
    assert (kind, fields["result"]) == ("task-succeeded", "'failed: so it says'")


@pytest.fixture
def given_to_the_pool():
    """What the pool of a worker is given of a message of protocol 1 or 2: its arguments as they have been read."""
    app = Celery(broker="memory://", set_as_current=False)

    def job(persona, target):
        raise AssertionError("it is not run")

    task = app.task(job, name="a.task", shared=False)
    given = []
    pool = SimpleNamespace(apply_async=lambda _, args, **options: given.append(args))
    kind = create_request_cls(TellingRequest, task, pool, "a-worker", None, app=app)

    def run(protocol, arguments):
        make = {1: app.amqp.as_task_v1, 2: app.amqp.as_task_v2}[protocol]
        sent = make("1", task.name, args=arguments, kwargs={})
        text = json.dumps(sent.body)
        message = Message(text, content_type="application/json", content_encoding="utf-8", headers=sent.headers)
        if protocol == 1:
            body, headers, decoded, utc = proto1_to_proto2(message, message.payload)
            request = kind(message, app=app, task=task, body=body, headers=headers, decoded=decoded, utc=utc)
        else:
            request = kind(message, app=app, task=task, body=text, headers=message.headers)
        request.execute_using_pool(pool)
        *_, body, content_type, _ = given.pop()
        assert content_type is None, "it is read no second time"
        return body

    yield run
    app.close()


@pytest.mark.parametrize("protocol", [1, 2])
def test_the_pool_is_given_the_arguments_as_they_were_read(given_to_the_pool, protocol):
    arguments, keywords, _ = given_to_the_pool(protocol, ("ava", "@john_doe"))
    assert (tuple(arguments), keywords) == (("ava", "@john_doe"), {})


class Job:
    """A task of a worker, with or without task events."""

    def __init__(self, *, task_events: bool) -> None:
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.request = SimpleNamespace(hostname="a-worker")
        self.app = SimpleNamespace(
            conf=SimpleNamespace(worker_send_task_events=task_events),
            events=SimpleNamespace(default_dispatcher=lambda _: self),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def send(self, kind, **fields):
        self.sent.append((kind, fields))


def test_a_refused_message_has_a_row_without_its_content():
    job = Job(task_events=True)
    show_refused(job, [Told("refused: InvalidEvent: kind", State.FAILED, about="message-1")])
    assert [kind for kind, _ in job.sent] == ["task-received", "task-failed"]
    assert {fields["uuid"] for _, fields in job.sent} == {"message-1"}
    assert (job.sent[0][1]["args"], job.sent[1][1]["exception"]) == ("-", "refused: InvalidEvent: kind")


def test_nobody_watches():
    job = Job(task_events=False)
    show_refused(job, [Told("refused", State.FAILED)])
    assert job.sent == []
