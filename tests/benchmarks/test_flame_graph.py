"""Collapsed stacks become a picture and shares."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.flame_graph import Stack, function_shares, own_shares, parse, place, svg

LINES = [
    "run (threading.py:1) ; turn (tasks/turns.py:9);send (redis/client.py:3) 6",
    "run (threading.py:1);turn (tasks/turns.py:9);<lambda> (worker/pipeline/ask.py:4) 3",
    "run (threading.py:1);turn (tasks/turns.py:9);turn (tasks/turns.py:9) 1",
    "",
]
STACKS = [
    Stack(("run (threading.py)", "turn (tasks/turns.py)", "send (redis/client.py)"), 6),
    Stack(("run (threading.py)", "turn (tasks/turns.py)", "<lambda> (worker/pipeline/ask.py)"), 3),
    Stack(("run (threading.py)", "turn (tasks/turns.py)", "turn (tasks/turns.py)"), 1),
]


def test_stacks_are_read_and_lines_of_the_source_left_out():
    assert parse([LINES[0].replace(" ; ", ";"), *LINES[1:]]) == STACKS


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        ("f (/somewhere/venv/lib/python3.11/site-packages/kombu/x.py:1)", "f (kombu/x.py)"),
        ("f (/usr/lib/python3.11/json/decoder.py:1)", "f (json/decoder.py)"),
        ("f (/home/somebody/other.py:1)", "f (other.py)"),
        ("poll", "poll"),
    ],
)
def test_no_path_of_the_machine_is_shown(frame: str, shown: str):
    (stack,) = parse([f"{frame} 1"])
    assert stack.frames == (shown,)


def test_the_innermost_function_has_the_time_and_each_function_counts_once_in_a_stack():
    assert own_shares(STACKS) == [("redis-py", 0.6), ("Parley", 0.4)]
    assert function_shares(STACKS, "Parley")[0] == ("turn (tasks/turns.py)", 1.0)


def test_what_belongs_to_nothing_known_is_of_the_others():
    assert place("run (threading.py)") == place("poll") == "Python and others"


def test_the_picture_has_each_function_with_its_share_and_loads_nothing():
    drawn = svg(STACKS, "Shares & more")
    root = ElementTree.fromstring(drawn)
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "Shares & more"
    assert "<lambda> (worker/pipeline/ask.py): 30.0%" in titles
    assert "turn (tasks/turns.py): 100.0%" in titles
    assert not {"href", "src", "script"} & {part for one in root.iter() for part in (*one.attrib, one.tag)}
    assert "<script" not in drawn


def test_what_is_too_narrow_to_see_is_left_out():
    seldom = Stack(("seldom (worker/x.py)",), 1)
    assert "seldom" not in svg([Stack(STACKS[0].frames, 999), seldom], "title")
