"""What the demo claims in the end, each claim computed from the books and the call logs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from simulation.demo.evidence import bubbles_of
from simulation.judge.checker import Sent, judge
from simulation.upstreams.call_log import Call
from simulation.upstreams.faults import FaultKind
from worker.store.views.books import Account


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim: whether it holds, what it is about, what was expected and what was seen."""

    holds: bool
    subject: str
    expected: str
    seen: str


@dataclass(frozen=True, slots=True)
class Order:
    """What the call logs prove, as in ``checker.Verdict``; ``overlapping`` covers both upstreams.

    ``resent``: sends that came again under their idempotency key, after the channel had taken the first;
    ``resent_bubbles``: the bubbles in them. ``dropped``: sends that the channel took without answering.
    ``turns``: persona calls that took effect. ``joined``: messages that came with another one in such a call.
    """

    overtaken: int = 0
    overlapping: int = 0
    asked_twice: int = 0
    lost: int = 0
    undelivered: int = 0
    doubled: int = 0
    resent: int = 0
    resent_bubbles: int = 0
    dropped: int = 0
    turns: int = 0
    joined: int = 0

    def __add__(self, other: Order) -> Order:
        return Order(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def doubled_otherwise(self) -> int:
        """Bubbles that reached a lead twice and were not resent."""
        return self.doubled - self.resent_bubbles


def order_of(sent: Sequence[Sent], calls: Sequence[Call]) -> Order:
    """The order in a call log. ``sent``: the messages to which an answer was due, in the order of acceptance."""
    verdict = judge(sent, calls)
    asks = [call for call in calls if call.service == "fluidtalk" and call.target and call.acted]
    resends = _resends(calls)
    return Order(
        overtaken=verdict.overtaken,
        overlapping=sum(call.overlaps > 0 for call in calls),
        asked_twice=verdict.asked_twice,
        lost=verdict.lost,
        undelivered=verdict.undelivered,
        doubled=verdict.doubled,
        resent=len(resends),
        resent_bubbles=len(bubbles_of(resends)),
        dropped=sum(
            call.service == "captivate" and call.acted and call.fault == FaultKind.ACT_THEN_DROP for call in calls
        ),
        turns=len(asks),
        joined=sum(str(call.fields.get("message", "")).count("\n") for call in asks),
    )


def of_order(order: Order) -> list[Finding]:
    """Nothing overtaken, overlapping, asked twice, lost or doubled, except for what was resent on purpose."""
    findings = [
        _zero("overtaken", order.overtaken, "seen by the persona after a later message"),
        _zero("overlapping", order.overlapping, "calls while another of the lead was under way"),
        _zero("asked twice", order.asked_twice, "messages that the persona was given twice"),
        _zero("lost", order.lost + order.undelivered, "messages never asked, answers never sent"),
        _zero("doubled", order.doubled_otherwise, "bubbles that came twice, the resent one apart"),
    ]
    seen = f"{order.resent} after {order.dropped} dropped connection" + ("s" if order.dropped != 1 else "")
    return [
        *findings,
        Finding(order.resent == order.dropped, "resent", "once for each send that was not answered", seen),
    ]


def of_books(accounts: Iterable[Account], receipts: int, follow_ups: int, order: Order) -> list[Finding]:
    """Every accepted event has one fate, none waits or is dead, and the books agree with the call logs.

    ``receipts``: events that producers had accepted; ``follow_ups``: those that beat had.
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
            accepted == receipts + follow_ups,
            "accepted",
            "receipts of producers + follow-ups of beat",
            f"{accepted} = {receipts} + {follow_ups}",
        ),
        Finding(
            (answered, joined) == (order.turns, order.joined),
            "answered",
            "+ joined, as in the call log",
            f"{answered} + {joined}, call log {order.turns} + {order.joined}",
        ),
    ]


def _zero(subject: str, count: int, what: str) -> Finding:
    return Finding(count == 0, subject, what, str(count))


def _resends(calls: Sequence[Call]) -> list[Call]:
    taken: set[str] = set()
    again: list[Call] = []
    for call in sorted(calls, key=lambda call: call.arrived):
        if call.service == "captivate" and call.acted and call.idempotency_key:
            if call.idempotency_key in taken:
                again.append(call)
            taken.add(call.idempotency_key)
    return again
