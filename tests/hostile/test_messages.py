"""Celery messages that no Celery made: a worker throws them away, shows nothing of them, and works on."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from redis import Redis

from config.settings import load
from simulation.servers.system import RunningSystem
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = pytest.mark.acceptance

HEADERS = {
    "lang": "py",
    "task": "tasks.accept",
    "id": "message-1",
    "argsrepr": "PLANTED",
    "kwargsrepr": "PLANTED",
    "retries": 0,
    "eta": None,
    "expires": None,
    "timelimit": [None, None],
}


def message(content: str = '[["PLANTED"],{},{}]', headers: Any = None, **envelope: Any) -> str:
    """A message in Celery's protocol 2, parts of it replaced; None takes a header away."""
    given = {**HEADERS, **(headers or {})}
    whole = {
        "body": base64.b64encode(content.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {name: value for name, value in given.items() if value is not None},
        "properties": {
            "correlation_id": "message-1",
            "delivery_info": {"exchange": "", "routing_key": "turns"},
            "delivery_tag": str(uuid.uuid4()),
            "body_encoding": "base64",
        },
    }
    return json.dumps({**whole, **envelope})


THROWN_AWAY = {
    "a body that is no JSON": message("PLANTED"),
    "a body too deep to read": message("[" * 5000 + "]" * 5000),
    "a number too long to read": message("[[" + "9" * 5000 + "],{},{}]"),
    "a pickle": message(**{"content-type": "application/x-python-serialize"}),
    "an unknown type": message(**{"content-type": "PLANTED/type"}),
    "an unknown task": message(headers={"task": "tasks.nobody_knows"}),
    "no task": message(headers={"task": None}),
    "no id": message(headers={"id": None}),
    "a time that is none": message(headers={"eta": "PLANTED"}),
    "an end that is none": message(headers={"expires": "PLANTED"}),
    "arguments that are an object": message('[{"PLANTED":1},{},{}]'),
    "a list of names": message('[[],["PLANTED"],{}]'),
    "wrong callbacks": message('[[],{},{"callbacks":["PLANTED"],"chain":["PLANTED"],"errbacks":["PLANTED"]}]'),
    "a doorbell for nobody": message("[[null,null],{},{}]", {"task": "tasks.turn"}),
    "a doorbell with half its words": message('[["ava"],{},{}]', {"task": "tasks.turn"}),
}

DEADLY = {
    "a body that is a number": message("7"),
    "a body that is a text": message('"PLANTED"'),
    "a body without its other parts": message('[["PLANTED"]]'),
    "an id that is a list": message(headers={"id": ["PLANTED"]}),
    "a task that is a list": message(headers={"task": ["PLANTED"]}),
    "a time limit that is a word": message(headers={"timelimit": "PLANTED"}),
}

NO_MESSAGE = {
    "words": "PLANTED",
    "nothing": "",
    "bytes that are no text": b"\xff\xfe\x00PLANTED",
    "half a message": message()[:-20],
    "a number": "7",
    "null": "null",
    "a list": "[1]",
    "a text": '"PLANTED"',
    "an object without parts": "{}",
    "nesting too deep to read": "[" * 100_000,
    "a number too long to read": "9" * 5000,
    "a body that is no base64": message(body="PLANTED%%%"),
    "a body that is another thing": message(body={"PLANTED": 1}),
    "an unknown encoding": message(properties={"delivery_tag": "1", "body_encoding": "PLANTED"}),
    "an encoding that is a number": message(properties={"delivery_tag": "1", "body_encoding": 7}),
    "headers that are words": message().replace('"headers": {', '"headers": "PLANTED", "other": {'),
    "properties that are null": message(properties=None),
    "no tag": message(properties={"body_encoding": "base64"}),
    "a tag that is a list": message(properties={"delivery_tag": ["PLANTED"], "body_encoding": "base64"}),
}


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """One worker for all messages, until one ends it."""
    with RunningSystem(settings={"PARLEY_JOIN__SETTLE_SECONDS": "0", "PARLEY_WORKER__TASK_EVENTS": "true"}) as running:
        yield running


@pytest.fixture
def survives(system: RunningSystem, channel: dict[str, Any], eventually: Callable[..., Any]) -> Callable[..., None]:
    """Send messages to a worker one after the other; see that it still answers leads and has shown nothing."""

    def run(messages: Mapping[str, str | bytes]) -> None:
        if system.workers[-1].poll() is not None:
            system.start_worker()
        worker = system.workers[-1]
        settings = load(
            env_file=None,
            redis_url=system.redis.url,
            captivate={"environment": "dev"},
            personas={"ava": {"api_key": "ft_sk_ava"}},
            join={"settle_seconds": 0},
        )
        with Redis.from_url(system.redis.url) as redis, Producer(settings) as producer:
            for name, text in messages.items():
                redis.lpush("turns", text)
                session = {**channel, "session_id": f"session {name}"}
                producer.enqueue(InboundChat(persona="ava", target=f"@{name}", message="hi", channel=session))

                def answered(session_id: str = f"session {name}") -> bool:
                    return worker.poll() is not None or bool(system.upstreams.deliveries(session_id))

                eventually(answered, f"an answer after {name}")
                assert worker.poll() is None, f"the worker died of {name}"
            eventually(lambda: redis.llen("turns") == 0, "an empty queue")
        assert "PLANTED" not in system.log_of("worker", len(system.workers) - 1)

    return run


def test_a_message_that_cannot_be_read_is_thrown_away(survives):
    survives(THROWN_AWAY)


def test_a_message_that_celery_stumbles_over_does_not_end_the_worker(survives):
    survives(DEADLY)


def test_what_is_no_message_at_all_does_not_end_the_worker(survives):
    survives(NO_MESSAGE)
