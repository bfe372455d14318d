"""What the demo prints, on a terminal and on a pipe."""

from __future__ import annotations

import io

import pytest

from simulation.demo.findings import Finding
from simulation.demo.lines import CROWD, Line
from simulation.demo.screen import WIDTH, Screen
from simulation.demo.speed import Speed
from simulation.demo.summary import Summary, show, show_verdict
from worker.store.views.books import Account


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def pipe():
    return io.StringIO()


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


LONG = Line(103.25, "@maya", "persona", "word " * 40, "ava")
LINES = [
    Line(101.0, "@maya", "lead", "hey"),
    Line(102.0, "@maya", "worker", "held 2.0 s: throttled"),
    Line(102.0, "@maya", "stage", "the next call answers 429"),
    Line(102.0, CROWD, "stage", "a crowd"),
    LONG,
]


def test_a_pipe_gets_plain_aligned_lines(pipe):
    screen = Screen(100.0, pipe)
    for line in LINES:
        screen.line(line)
    screen.status([])
    screen.end_of_story()
    rows = pipe.getvalue().splitlines()
    assert rows[:4] == [
        "   1.0  @maya     » hey",
        "   2.0  @maya            · held 2.0 s: throttled",
        "   2.0  @maya            (the next call answers 429)",
        "   2.0  @crowd           (a crowd)",
    ]
    assert rows[4].startswith("   3.2  @maya        ava « word word")
    assert all(row.startswith(" " * 27 + "word") for row in rows[5:])
    assert max(map(len, rows)) <= WIDTH
    assert "\x1b" not in pipe.getvalue()


def test_a_lead_keeps_its_color_and_another_has_another(terminal):
    screen = Screen(100.0, terminal)
    for who in ("@maya", "@liam", "@maya", "@maya-2"):
        screen.line(Line(101.0, who, "lead", "hey"))
    first, other, again, later_round = terminal.getvalue().splitlines()
    color = first.split("@maya")[0]
    assert "\x1b[" in color
    assert again == first
    assert later_round.split("@maya-2")[0] == color
    assert other.split("@liam")[0] != color


def test_a_terminal_has_a_status_line_that_goes_away(terminal):
    screen = Screen(100.0, terminal)
    screen.status([Account("ava", 7, 5, 0, 0, 0, 0, 0, 2)])
    screen.end_of_story()
    assert "accepted 7   answered 5   joined 0   waiting 2" in terminal.getvalue()
    assert terminal.getvalue().endswith(("\x1b[2K", "\x1b[?25h", "\r"))


@pytest.fixture
def summary():
    def make(**changes):
        values = {
            "accounts": [Account("ava", 3, 2, 1, 0, 0, 0, 0, 0)],
            "leads": [Finding(True, "@maya", "one turn", "1 call")],
            "books": [Finding(True, "unexplained", "none", "0")],
            "order": [Finding(True, "overtaken", "none", "0")],
            "speed": Speed((1.0, 2.0), (0.25,), 4.0),
            "cut_short": 0,
            "rounds": 1,
            "notices": [
                {
                    "type": "parley.conversation.taken_over",
                    "target": "@ivan-10",
                    "kind": "pulled_follow_up",
                    "cause": "persona_ended",
                    "attempts": {"asked": 10, "sent": 10},
                }
            ],
            "settle_seconds": 1.2,
            "tick_seconds": 0.5,
        }
        return Summary(**{**values, **changes})

    return make


def test_a_summary_in_which_all_holds(pipe, summary):
    screen = Screen(100.0, pipe)
    show(summary(), screen)
    show_verdict(summary(), screen)
    shown = pipe.getvalue()
    assert "✗" not in shown
    assert "✓ @maya" in shown
    assert "p50 1.00 s" in shown
    assert "  @ivan-10  parley.conversation.taken_over" in shown
    assert "All 3 checks hold" in shown
    assert "\x1b" not in shown
    assert all(len(row) <= WIDTH and row == row.rstrip() for row in shown.splitlines())


def test_a_summary_says_what_failed(pipe, summary):
    screen = Screen(100.0, pipe)
    broken = summary(order=[Finding(False, "overtaken", "none", "4")], rounds=3, cut_short=2)
    show(broken, screen)
    show_verdict(broken, screen)
    shown = pipe.getvalue()
    assert broken.failed == list(broken.order)
    assert "2 leads were interrupted" in shown
    assert "1 of 3 checks failed (3 rounds" in shown
    assert "✗ overtaken: expected none; seen 4" in shown
