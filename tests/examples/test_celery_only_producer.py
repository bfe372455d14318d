"""The producer that knows nothing but Celery, against a real Redis and the real door behind it."""

from __future__ import annotations

import ast
import base64
import json
from pathlib import Path

import pytest

from worker.domain.conversation import Conversation
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer

EXAMPLE = Path("examples", "celery_only_producer.py")
LEAD = Conversation("ava", "@lead")


@pytest.fixture
def run(run_example, redis_server, store):
    """The example, with the session's server as its broker; ``store`` is that server, emptied."""

    def run_with(*further: str, broker: str = redis_server.url):
        return run_example(
            *(str(EXAMPLE), "--broker", broker, "--persona", "ava", "--target", "@lead"),
            *("--session-id", "session-1", "--message", "SECRET words", *further),
        )

    return run_with


@pytest.fixture
def taken(store):
    """Take the only message out of the queue."""

    def take():
        (message,) = store.redis.lrange("accept", 0, -1)
        store.redis.delete("accept")
        return json.loads(message)

    return take


def test_it_imports_nothing_of_parley():
    tree = ast.parse((Path(__file__).parents[2] / EXAMPLE).read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [module for module in modules if module.partition(".")[0] in ("config", "worker", "tasks")]


def test_one_message_for_the_accept_task_lands_in_the_queue_that_workers_read(run, taken):
    finished = run("--message-id", "m-1")
    assert (finished.returncode, finished.stdout) == (0, "m-1\n"), finished.stderr
    message = taken()
    assert (message["headers"]["task"], message["headers"]["id"]) == ("tasks.accept", "m-1")
    (event,), kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert (event["kind"], event["message"], kwargs) == ("inbound_chat", "SECRET words", {})


def test_the_text_of_the_lead_is_in_the_body_only(run, taken):
    run()
    message = taken()
    assert "SECRET" not in json.dumps({**message, "body": ""})


def test_the_door_accepts_it_and_recognises_the_same_message_again(run, taken, make_settings, store):
    intake = Intake(Producer(make_settings(), store=store), store, wait_seconds=1)
    phrases = []
    for _ in range(2):
        run("--message-id", "m-1")
        message = taken()
        (event,), _, _ = json.loads(base64.b64decode(message["body"]))
        phrases.append(intake.accept(event, message["headers"]["id"]))
        store.redis.delete("turns")  # the doorbell
    assert phrases == ["accepted at position 1", "duplicate at position 1"]
    assert store.redis.lrange(store.keys.of(LEAD).inbox(LEAD), 0, -1) == ["m-1"]


def test_a_broker_that_is_away_is_an_error_and_not_a_silent_loss(run):
    finished = run(broker="redis://127.0.0.1:1/0")
    assert finished.returncode != 0
    assert "OperationalError" in finished.stderr
