"""The claims of the demo must fail when the logs or the books say otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation.demo.findings import of_books, of_order, of_receipts
from simulation.judge.checker import Verdict, judge
from simulation.judge.log import Sent
from simulation.upstreams.call_log import Call
from worker.store.views.books import Account

TEXTS = ("one", "two", "three")
SENT = [Sent("ava", "@maya", text, float(number)) for number, text in enumerate(TEXTS)]


def ask(arrived, message, **changes):
    fields = {"target": "@maya", "message": message}
    values = {"persona": "ava", "target": "@maya", "acted": True, "arrived": arrived, "fields": fields, **changes}
    return Call(service="fluidtalk", method="POST", path="/api/v1/bot/chat", **values)


def send(arrived, *texts, key="key", **changes):
    fields = {"response": [{"type": "text", "text": f"You said: {text}"} for text in texts], "outgoing_action": None}
    values = {"acted": True, "arrived": arrived, "fields": fields, "idempotency_key": key, **changes}
    return Call(service="captivate", method="POST", path="/", session_id="session", **values)


RIGHT = [ask(1, "one\ntwo"), send(2, "one", "two", key="a"), ask(3, "three"), send(4, "three", key="b")]


def failed(findings):
    return [finding.subject for finding in findings if not finding.holds]


def test_a_clean_log():
    order = judge(SENT, RIGHT)
    assert (order.turns, order.joined) == (2, 1)
    assert failed(of_order(order)) == []


def test_a_resend_after_a_drop_is_no_fault():
    dropped = send(4, "three", key="b", fault="act_then_drop", status=None)
    order = judge(SENT, [*RIGHT[:3], dropped, send(5, "three", key="b")])
    assert (order.doubled, order.resent, order.dropped) == (1, 1, 1)
    assert failed(of_order(order)) == []


@pytest.mark.parametrize(
    ("calls", "subject"),
    [
        ([ask(1, "three"), send(2, "three", key="a"), ask(3, "one\ntwo"), send(4, "one", "two")], ["overtaken"]),
        ([replace(RIGHT[0], overlaps=1), *RIGHT[1:]], ["overlapping"]),
        ([RIGHT[0], replace(RIGHT[1], overlaps=1), *RIGHT[2:]], ["overlapping"]),
        ([*RIGHT, ask(5, "three")], ["asked twice"]),
        (RIGHT[:2], ["lost"]),
        (RIGHT[:3], ["lost"]),
        ([*RIGHT, send(5, "three", key="c")], ["doubled"]),
        ([*RIGHT, send(5, "three", key="b")], ["resent"]),
        ([*RIGHT[:3], send(4, "three", key="b", fault="act_then_drop")], ["resent"]),
    ],
)
def test_every_fault_in_the_log_is_found(calls, subject):
    assert failed(of_order(judge(SENT, calls))) == subject


def test_verdicts_add_up():
    both = judge(SENT, RIGHT) + judge(SENT, [*RIGHT, send(5, "three", key="b")])
    assert (both.messages, both.turns, both.joined, both.resent, both.doubled) == (6, 4, 2, 1, 1)
    assert len(both.seconds_to_answer) == 6


BOOKS = Account("ava", 8, answered=3, joined=2, ignored=1, sealed=1, skipped=1, dead=0, waiting=0)
TURNS = Verdict(turns=3, joined=2)


def test_right_books():
    assert failed(of_books([BOOKS], 7, 1, TURNS)) == []


@pytest.mark.parametrize(
    ("account", "subjects"),
    [
        (replace(BOOKS, skipped=0), ["unexplained"]),
        (replace(BOOKS, skipped=2), ["unexplained"]),
        (replace(BOOKS, skipped=0, dead=1), ["left over"]),
        (replace(BOOKS, skipped=0, waiting=1), ["left over"]),
        (replace(BOOKS, accepted=9, skipped=2), ["accepted"]),
        (replace(BOOKS, answered=2, skipped=2), ["answered"]),
        (replace(BOOKS, joined=1, skipped=2), ["answered"]),
    ],
)
def test_wrong_books_are_found(account, subjects):
    assert failed(of_books([account], 7, 1, TURNS)) == subjects


@pytest.mark.parametrize(("given", "ended", "holds"), [(3, 3, True), (3, 2, False), (0, 0, False)])
def test_a_receipt_without_a_fate_is_found_and_so_is_a_door_that_was_not_used(given, ended, holds):
    assert of_receipts(given, ended).holds is holds


def test_a_surplus_of_one_persona_does_not_hide_the_lack_of_another():
    accounts = [replace(BOOKS, skipped=0), replace(BOOKS, persona="bea", skipped=2)]
    assert "unexplained" in failed(of_books(accounts, 14, 2, Verdict(turns=6, joined=4)))
