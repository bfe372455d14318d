"""What whoever looks at a worker's tasks is shown of a doorbell."""

from __future__ import annotations

import json

import pytest
from celery import Celery
from kombu.message import Message

from config.settings import Privacy
from tasks.requests import RequestWithoutHandle
from tasks.turns import turn
from worker import bootstrap
from worker.domain.handles import Handles
from worker.pipeline.told import Told

HASHED = Handles(Privacy(handles="hashed", handle_key="a key of sixteen"))
PLAIN = Handles(Privacy())


@pytest.fixture
def request_of(monkeypatch):
    """A doorbell that was rung with these arguments, as the worker keeps it."""
    app = Celery(broker="memory://", set_as_current=False)

    def make(handles, args, kwargs=None):
        monkeypatch.setattr("tasks.requests.handles", lambda: handles)
        message = Message(
            json.dumps([args, kwargs or {}, {}]),
            content_type="application/json",
            content_encoding="utf-8",
            headers={"task": "tasks.turn", "id": "1", "argsrepr": repr(args), "kwargsrepr": repr(kwargs or {})},
        )
        return RequestWithoutHandle(message, app=app, task=app.tasks["tasks.turn"])

    yield make
    app.close()


def shown_of(request) -> str:
    """What events, the request's own text and remote control tell."""
    return f"{request.argsrepr} {request.kwargsrepr} {request!r} {request.info(safe=False)}"


def test_a_doorbell_of_whoever_rang_shows_the_hash_and_keeps_the_handle_for_the_turn(request_of):
    request = request_of(HASHED, ["ava", "@lead"])
    assert "@lead" not in shown_of(request)
    assert request.argsrepr == f"('ava', '{HASHED.hash_of('@lead')}')"
    assert list(request.args) == ["ava", "@lead"]


def test_plain_shows_what_was_rung(request_of):
    assert "@lead" in request_of(PLAIN, ["ava", "@lead"]).argsrepr


@pytest.mark.parametrize(("args", "kwargs"), [([], {"persona": "ava", "target": "@lead"}), (["@lead"], {})])
def test_a_doorbell_that_is_none_shows_nothing(request_of, args, kwargs):
    assert "@lead" not in shown_of(request_of(HASHED, args, kwargs))


def test_the_settings_of_the_process_say_how(monkeypatch):
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://redis:6379/0")
    monkeypatch.setenv("PARLEY_PRIVACY__HANDLES", "hashed")
    monkeypatch.setenv("PARLEY_PRIVACY__HANDLE_KEY", "a key of sixteen")
    bootstrap.handles.cache_clear()
    try:
        assert bootstrap.handles().shown("ava:@lead") == HASHED.shown("ava:@lead")
    finally:
        bootstrap.handles.cache_clear()


@pytest.mark.parametrize(("queue", "lane"), [("turns", "turns"), ("outreach", "outreach"), (None, "turns")])
def test_a_turn_runs_in_the_lane_of_the_queue_that_its_doorbell_came_from(monkeypatch, queue, lane):
    ran = []

    class Parts:
        class turns:  # noqa: N801 - its name in the parts
            run = staticmethod(lambda *given: ran.append(given) or Told("answered"))

    monkeypatch.setattr("tasks.turns.parts", lambda: Parts)
    turn.push_request(delivery_info={"routing_key": queue} if queue else None)
    try:
        assert turn.run("ava", "@lead") == "answered"
    finally:
        turn.pop_request()
    assert ran == [("ava", "@lead", lane)]
