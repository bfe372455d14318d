"""What strangers wrote is shown as it is, but never obeyed, and never ends a line or a field."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.plain_text import field, printable, printable_json, printable_lines, shortened

OBEYED = {
    "an escape sequence": "\x1b[2J",
    "a title": "\x1b]0;owned\x07",
    "a C1 sequence": "\x9b2J",
    "a line feed": "\n",
    "a carriage return": "\r",
    "a next line": "\x85",
    "a line separator": "\u2028",
    "a paragraph separator": "\u2029",
    "a vertical tab": "\x0b",
    "a form feed": "\x0c",
    "a file separator": "\x1c",
    "a backspace": "\x08",
    "a delete": "\x7f",
    "a nul": "\x00",
    "an override of direction": "\u202e",
    "an isolate": "\u2066",
    "an Arabic mark": "\u061c",
    "a mark of byte order": "\ufeff",
    "half an emoji": "\ud83d",
    "a tag": "\U000e0041",
}
anything = st.text(st.characters(exclude_categories=[]))


@pytest.mark.parametrize("name", OBEYED)
def test_nothing_that_is_obeyed_is_left(name):
    text = f"a{OBEYED[name]}b"
    for shown in (printable(text), field("f", text), printable_json(text), printable_json(text, ensure_ascii=False)):
        assert shown.isprintable()
        assert "a" in shown
        assert "b" in shown


@pytest.mark.parametrize("text", ["@john_doe", "ж", "日本", "\U0001f525", "naïve café"])
def test_what_can_be_read_is_left_as_it_is(text):
    assert printable(text) == text
    assert printable_json(text, ensure_ascii=False) == f'"{text}"'


@given(value=anything)
def test_json_says_the_same_with_everything_escaped(value):
    for options in ({}, {"ensure_ascii": False}, {"ensure_ascii": False, "indent": 2}):
        shown = printable_json({"k": [value]}, **options)
        assert json.loads(shown) == json.loads(json.dumps({"k": [value]}))
        assert all(line.isprintable() for line in shown.split("\n"))


@given(first=anything, second=anything)
def test_a_reader_finds_the_fields_that_were_written_and_no_other(first, second):
    line = f"{field('one', first)} {field('two', second)}"
    assert shlex.split(line) == [f"one={printable(first)}", f"two={printable(second)}"]


def test_only_what_could_be_mistaken_is_quoted():
    assert field("conversation", "ava:@john_doe") == "conversation=ava:@john_doe"
    assert field("seconds", 1.5) == "seconds=1.5"
    assert field("event_id", "") == 'event_id=""'
    assert field("conversation", "ava:@x persona=bea") == 'conversation="ava:@x persona=bea"'


def test_lines_stay_lines():
    assert printable_lines("a\x1b\nb\r") == "a\\x1b\nb\\r"


@pytest.mark.parametrize(
    ("text", "shown"), [("abcde", "abcde"), ("abcdef", "abcd…"), ("\n" * 9, "\\n\\n…"), (12, "12")]
)
def test_a_long_text_is_shortened_and_says_so(text, shown):
    assert shortened(text, 5) == shown
