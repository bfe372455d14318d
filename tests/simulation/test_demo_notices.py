"""What the demo claims of notices must fail when they tell otherwise than the books, or have gaps."""

from __future__ import annotations

import pytest

from simulation.demo.notices import NoticeStream, row_of
from simulation.ingress_client import NoticePage
from worker.store.views.books import Account

BOOKS = [Account("ava", 2, answered=1, joined=0, ignored=0, sealed=1, skipped=0, dead=0, waiting=0)]


def notice(sequence, fate=None, *, kind="parley.event.{}", target="@ivan", **changes):
    of_event = {"kind": "inbound_chat", "cause": None, "attempts": {"asked": 1, "sent": 1}}
    common = {"type": kind.format(fate), "persona": "ava", "target": target, "sequence": sequence, "fate": fate}
    return {**common, **of_event, **changes}


RIGHT = [
    notice(7, "answered"),
    notice(8, "sealed", cause="persona_ended"),
    notice(9, kind="parley.conversation.sealed", attempts=None, cause="persona_ended"),
    notice(1, kind="parley.persona.held", target=None, attempts=None, cause="paused"),
]


class Ingress:
    """Has these pages; a cursor is the number of the next one."""

    def __init__(self, *pages):
        self.pages = [NoticePage(list(page), str(number + 1), 0) for number, page in enumerate([*pages, []])]

    def notices(self, after):
        return self.pages[min(int(after or 0), len(self.pages) - 1)]


def failed(*pages, books=BOOKS):
    stream = NoticeStream(Ingress(*pages), "@ivan")
    stream.pull()
    stream.pull()
    return [finding.subject for finding in stream.findings(books) if not finding.holds]


def test_one_for_each_fate_in_order_over_several_pages():
    assert failed(RIGHT[:1], RIGHT[1:]) == []


@pytest.mark.parametrize(
    ("notices", "subjects"),
    [
        (RIGHT[1:], ["notices"]),
        ([*RIGHT, notice(10, "answered")], ["notices"]),
        ([notice(7, "answered"), notice(9, "sealed")], ["gaps"]),
        ([notice(8, "answered"), notice(7, "sealed")], ["gaps"]),
        ([notice(7, "answered"), notice(8, "answered")], ["notices"]),
    ],
    ids=["lost", "doubled", "a gap", "another order", "another fate"],
)
def test_what_is_wrong_is_found(notices, subjects):
    assert failed(notices) == subjects


def test_what_was_dropped_is_a_gap():
    ingress = Ingress(RIGHT)
    ingress.pages[0] = ingress.pages[0]._replace(dropped=1)
    stream = NoticeStream(ingress, "@ivan")
    stream.pull()
    assert [finding.holds for finding in stream.findings(BOOKS)] == [True, False]


def test_those_of_one_lead_are_shown_with_what_applies():
    stream = NoticeStream(Ingress([*RIGHT, notice(5, "answered", target="@maya")]), "@ivan")
    stream.pull()
    assert [row_of(each) for each in stream.shown] == [
        ("parley.event.answered", "inbound_chat", "", "asked 1, sent 1"),
        ("parley.event.sealed", "inbound_chat", "persona_ended", "asked 1, sent 1"),
        ("parley.conversation.sealed", "inbound_chat", "persona_ended", ""),
    ]
