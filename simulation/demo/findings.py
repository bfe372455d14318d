"""What the demo claims in the end, each claim computed from the books and the call logs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulation.judge.checker import Verdict
from worker.store.views.books import Account


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim: whether it holds, what it is about, what was expected and what was seen."""

    holds: bool
    subject: str
    expected: str
    seen: str


def of_order(order: Verdict) -> list[Finding]:
    """Nothing overtaken, overlapping, asked twice, lost or doubled, except for what was resent on purpose."""
    overlapping = order.overlapping + order.overlapping_besides
    findings = [
        _zero("overtaken", order.overtaken, "seen by the persona after a later message"),
        _zero("overlapping", overlapping, "calls while another of the lead was under way"),
        _zero("asked twice", order.asked_twice, "messages that the persona was given twice"),
        _zero("lost", order.lost + order.undelivered, "messages never asked, answers never sent"),
        _zero("doubled", order.doubled - order.resent_bubbles, "bubbles that came twice, the resent one apart"),
    ]
    seen = f"{order.resent} after {order.dropped} dropped connection" + ("s" if order.dropped != 1 else "")
    return [
        *findings,
        Finding(order.resent == order.dropped, "resent", "once for each send that was not answered", seen),
    ]


def of_books(accounts: Iterable[Account], enqueued: int, follow_ups: int, order: Verdict) -> list[Finding]:
    """Every accepted event has one fate, none waits or is dead, and the books agree with the call logs.

    ``enqueued``: events that both doors had accepted; ``follow_ups``: those that beat had.
    """
    books = list(accounts)
    accepted, answered, joined, dead, waiting = (
        sum(getattr(account, word) for account in books)
        for word in ("accepted", "answered", "joined", "dead", "waiting")
    )
    unexplained = sum(abs(account.unexplained) for account in books)
    return [
        _zero("unexplained", unexplained, "accepted, without a fate, and not waiting"),
        Finding(dead + waiting == 0, "left over", "0 dead, 0 waiting", f"{dead} dead, {waiting} waiting"),
        Finding(
            accepted == enqueued + follow_ups,
            "accepted",
            "by producer and ingress + follow-ups of beat",
            f"{accepted} = {enqueued} + {follow_ups}",
        ),
        Finding(
            (answered, joined) == (order.turns, order.joined),
            "answered",
            "+ joined, as in the call log",
            f"{answered} + {joined}, call log {order.turns} + {order.joined}",
        ),
    ]


def of_receipts(given: int, ended: int) -> Finding:
    """Each event for which the ingress gave a receipt has a fate. ``ended``: those of which it says so."""
    return Finding(given == ended > 0, "receipts", "of the ingress: each has a fate", f"{ended} of {given}")


def _zero(subject: str, count: int, what: str) -> Finding:
    return Finding(count == 0, subject, what, str(count))
