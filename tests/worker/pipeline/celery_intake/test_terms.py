"""What the message of a foreign producer asks for beside its event: done, or refused with the reason."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.domain.sentences import of_stored
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer

LEAD = Conversation("ava", "@lead")


@pytest.fixture
def intake(make_settings, store):
    return Intake(Producer(make_settings(), store=store), store, wait_seconds=1)


@pytest.fixture
def waiting(store):
    """The ids that wait in the lead's inbox."""
    return lambda: store.redis.lrange(store.keys.of(LEAD).inbox(LEAD), 0, -1)


@pytest.fixture
def ask(store, channel, intake):
    """Send an event with more than Celery's usual headers, take it in, and say what became of it."""

    chat = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": "SECRET words", "channel": channel}

    def run(event=chat, embedded=None, **headers):
        body = base64.b64encode(json.dumps([[event], {}, embedded or {}]).encode()).decode()
        message = {"body": body, "headers": {"id": "m1", "task": "tasks.accept", **headers}}
        store.redis.lpush("accept", json.dumps({**message, "properties": {"body_encoding": "base64"}}))
        assert intake.take_in() == 1
        letters = store.dead_letters.newest()
        return of_stored(letters[0].cause) if letters else store.inbox.waiting(LEAD)

    return run


def in_seconds(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("seconds", [60, 3600])
def test_an_event_that_cannot_wait_is_refused_while_its_eta_is_to_come(ask, store, waiting, seconds):
    cause = ask(eta=in_seconds(seconds + 0.5))
    assert re.fullmatch(r"InvalidEvent: its eta \(or countdown\) is \d+ s from now, and only a follow_up can .*", cause)
    assert waiting() == []
    (letter,) = store.dead_letters.newest()
    assert letter.conversation == LEAD, "it is filed under its lead, and can be replayed when it is due"


@pytest.mark.parametrize("headers", [{"eta": "2020-01-01T00:00:00+09:00"}, {"eta": None, "expires": None}])
def test_an_eta_that_is_over_means_now(ask, headers):
    assert ask(**headers) == 1


@pytest.mark.parametrize(
    ("own", "eta"),
    [
        (None, "YEAR-02-03T04:05:06+01:00"),
        (None, "YEAR-02-03T03:05:06"),
        ("YEAR-02-03T03:05:06Z", "YEAR-01-01T00:00:00Z"),
        ("YEAR-01-01T00:00:00Z", "YEAR-02-03T03:05:06Z"),
    ],
)
def test_a_follow_up_waits_for_its_eta(ask, store, channel, own, eta):
    year = datetime.now(UTC).year + 2
    own, eta = (text and text.replace("YEAR", str(year)) for text in (own, eta))
    event = {"kind": "follow_up", "persona": "ava", "target": "@lead", "channel": channel, "not_before": own}
    assert ask(event, eta=eta) == 0
    planned = datetime(year, 2, 3, 3, 5, 6, tzinfo=UTC)
    assert store.follow_ups.state_of(LEAD).requested_at == planned.timestamp() * 1000


def test_an_eta_that_is_more_than_ten_years_away_refuses_a_follow_up(ask, channel):
    event = {"kind": "follow_up", "persona": "ava", "target": "@lead", "channel": channel}
    assert ask(event, eta="9999-12-31T23:59:59Z").startswith("InvalidEvent: not_before: it is more than ten years")


def test_a_message_that_had_expired_when_it_was_read_is_refused(ask, waiting):
    assert re.fullmatch(r"Expired: its expires was over for 36\d\d s when it was read", ask(expires=in_seconds(-3600)))
    assert waiting() == []


def test_a_message_that_is_read_in_time_is_accepted(ask):
    assert ask(expires=in_seconds(60)) == 1


@pytest.mark.parametrize("headers", [{"eta": "SECRET"}, {"expires": "SECRET"}, {"expires": 60}])
def test_a_time_that_cannot_be_read_refuses_the_event(ask, headers):
    (name,) = headers
    assert ask(**headers) == f"InvalidEvent: its {name} is not a time in ISO 8601"


@pytest.mark.parametrize("asked", ["callbacks", "errbacks", "chain", "chord"])
def test_what_shall_run_afterwards_is_refused(ask, asked):
    cause = ask(embedded={asked: [{"task": "SECRET"}]})
    assert cause.startswith(f"InvalidEvent: its message asks for more tasks afterwards ({asked})")
    assert "SECRET" not in cause


def test_a_group_is_taken_event_by_event(ask):
    assert ask(group="a group's id", embedded={"callbacks": None, "errbacks": None, "chain": None, "chord": None}) == 1
