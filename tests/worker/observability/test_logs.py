"""Logs carry ids and words, never content."""

from __future__ import annotations

import json
import logging
import shlex

import pytest

from config.settings import Privacy
from worker.domain.handles import Handles
from worker.observability.logs import JsonFormatter, TextFormatter, without_content


def record(name="parley.turn", level=logging.INFO, message="turn: %s", args=("answered",), exc_info=None, **fields):
    made = logging.LogRecord(name, level, __file__, 1, message, args, exc_info)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def test_json_lines_have_the_message_and_the_fields():
    line = json.loads(JsonFormatter().format(record(conversation="ava:@lead", seconds=1.5)))
    assert (line["message"], line["conversation"], line["seconds"], line["level"]) == (
        "turn: answered",
        "ava:@lead",
        1.5,
        "info",
    )


@pytest.mark.parametrize("kind", [JsonFormatter, TextFormatter])
def test_a_conversation_is_shown_as_the_settings_say(kind):
    hashed = Handles(Privacy(handles="hashed", handle_key="a key of sixteen"))
    line = kind(hashed.shown).format(record(conversation="ava:@lead"))
    assert "@lead" not in line
    assert f"ava:{hashed.hash_of('@lead')}" in line


def test_fields_that_are_not_ours_are_not_printed():
    made = record(data={"args": "SECRET"})
    assert "SECRET" not in JsonFormatter().format(made) + TextFormatter().format(made)


@pytest.mark.parametrize("name", ["celery.worker.consumer.consumer", "kombu.connection"])
def test_bodies_that_celery_would_print_are_cut(name):
    made = record(name, logging.ERROR, "Received unregistered task of type %s.\nbody: %r", ("x", "SECRET"))
    assert without_content(made)
    assert "SECRET" not in TextFormatter().format(made)
    assert "Received unregistered task" in TextFormatter().format(made)


def test_a_foreign_traceback_is_cut_to_its_class():
    try:
        raise ValueError("SECRET")
    except ValueError as error:
        made = record("celery.app.trace", logging.ERROR, "Task %s raised", ("t",), (ValueError, error, None))
    without_content(made)
    line = JsonFormatter().format(made)
    assert "SECRET" not in line
    assert "ValueError" in line


def test_our_own_records_pass_unchanged():
    made = record()
    assert without_content(made)
    assert made.getMessage() == "turn: answered"


HOSTILE = "@y\x1b[2J\x85\u2028\u202e\r\n03:14:15.926 ERROR   parley.turn: forged persona=bea seconds=0\x9b2J\x7f"


@pytest.mark.parametrize("kind", [JsonFormatter, TextFormatter])
@pytest.mark.parametrize("place", ["a field", "the message", "an argument"])
def test_what_a_stranger_wrote_is_one_line_that_no_terminal_obeys(kind, place):
    made = {
        "a field": record(conversation=f"ava:{HOSTILE}"),
        "the message": record(message=HOSTILE, args=None),
        "an argument": record(args=(HOSTILE,)),
    }[place]
    line = kind().format(made)
    assert line.isprintable()
    assert "forged" in line


@pytest.mark.parametrize("place", ["a field", "an argument"])
def test_no_field_can_be_forged(place):
    forged = "x persona=bea seconds=0"
    made = record(conversation=forged) if place == "a field" else record(args=(forged,), conversation="ava:@lead")
    words = shlex.split(TextFormatter().format(made))
    assert [word for word in words if word.startswith(("persona=", "seconds="))] == []
    (conversation,) = [word for word in words if word.startswith("conversation=")]
    assert conversation == f"conversation={forged if place == 'a field' else 'ava:@lead'}"


@pytest.mark.parametrize("kind", [JsonFormatter, TextFormatter])
def test_a_traceback_forges_no_line(kind):
    try:
        raise ValueError(f"no such thing: {HOSTILE}")
    except ValueError as error:
        line = kind().format(record(exc_info=(ValueError, error, None)))
    lines = line.split("\n")
    assert all(each.isprintable() for each in lines)
    assert [each for each in lines[1:] if not each.startswith("  ")] == []
    assert "no such thing" in line
