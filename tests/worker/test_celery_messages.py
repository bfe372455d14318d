"""Messages as kombu writes them, and what is none."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.celery_messages import TaskMessage, UnreadableMessage, read


def message(arguments=({"kind": "x"},), keywords=None, **headers):
    body = json.dumps([list(arguments), keywords or {}, {}])
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "headers": {"id": "i1", "task": "tasks.accept", **headers},
            "properties": {"body_encoding": "base64"},
        }
    )


def test_the_only_argument_is_the_event():
    assert read(message()) == TaskMessage("i1", "tasks.accept", {"kind": "x"})
    assert read(message(arguments=(), keywords={"event": 7})).argument == 7


def test_what_celery_sends_is_read(redis_server, store):
    from celery import Celery

    with Celery(broker=redis_server.url, set_as_current=False) as app:
        app.send_task("tasks.accept", args=[{"kind": "ü"}], queue="accept", task_id="t1", ignore_result=True)
    assert read(store.accept_queue.oldest(1)[0]) == TaskMessage("t1", "tasks.accept", {"kind": "ü"})


@pytest.mark.parametrize(
    "wrong",
    ["", "SECRET", "[]", "{}", json.dumps({"body": "SECRET", "headers": {}, "properties": {}}), message(id=7)]
    + [message(arguments=count * ("SECRET",)) for count in (0, 2)],
)
def test_what_is_no_such_message_is_refused_without_its_content(wrong):
    with pytest.raises(UnreadableMessage) as caught:
        read(wrong)
    assert "SECRET" not in str(caught.value)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_nothing_else_comes_out(text):
    with contextlib.suppress(UnreadableMessage):
        read(text)
