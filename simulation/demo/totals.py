"""Adds up what the rounds of a demo have shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from config.settings import Settings
from simulation.demo.findings import Finding, of_books, of_order, of_receipts
from simulation.demo.leads import ScriptedLead
from simulation.demo.notices import NoticeStream
from simulation.demo.round import Round
from simulation.demo.speed import Speed, measure
from simulation.demo.summary import Summary
from simulation.judge.checker import Verdict, judge
from worker.store.views.books import Account


class Totals:
    """The sums over all rounds so far."""

    def __init__(self) -> None:
        self._accepted = 0
        self._receipts = 0
        self._ended = 0
        self._follow_ups = 0
        self._cut_short = 0
        self._rounds = 0
        self._order = Verdict()
        self._speed = Speed()
        self._leads: dict[str, list[Finding]] = {}

    def add(self, stage: Round, settings: Settings) -> None:
        """Judge a round that is over. Leads that were interrupted count for order and books, not for their story.

        Raises ``IngressFailed``.
        """
        sent = sorted((message for lead in stage.leads for message in lead.sent), key=lambda message: message.at)
        self._rounds += 1
        self._accepted += stage.doors.accepted
        self._receipts += len(stage.doors.receipts)
        self._ended += stage.doors.ended()
        self._follow_ups += sum(lead.evidence.follow_ups_accepted() for lead in stage.scripted)
        self._order += judge(sent, stage.feed.calls)
        settle_seconds = settings.join.settle_seconds
        crowd_sent = [message for lead in stage.crowd for message in lead.sent]
        self._speed += measure(crowd_sent, stage.feed.calls, settle_seconds)
        for lead in stage.scripted:
            self._judge(lead.handle, [lead], stage)
        self._judge("the crowd", stage.crowd, stage)

    def summary(self, accounts: Sequence[Account], notices: NoticeStream, settings: Settings) -> Summary:
        """Everything that can be said by now."""
        return Summary(
            accounts=accounts,
            leads=[_merged(findings) for findings in self._leads.values()],
            books=[
                *of_books(accounts, self._accepted, self._follow_ups, self._order),
                of_receipts(self._receipts, self._ended),
                *notices.findings(accounts),
            ],
            notices=notices.shown,
            order=of_order(self._order),
            speed=self._speed,
            cut_short=self._cut_short,
            rounds=self._rounds,
            settle_seconds=settings.join.settle_seconds,
            tick_seconds=settings.agenda.tick_seconds,
        )

    def _judge(self, subject: str, leads: Sequence[ScriptedLead], stage: Round) -> None:
        finished = [lead for lead in leads if stage.has_finished(lead)]
        self._cut_short += len(leads) - len(finished)
        if not finished:
            return
        seen = [lead.seen() for lead in finished]
        right = sum(holds for holds, _ in seen)
        said = seen[0][1] if len(seen) == 1 else f"{right} of {len(seen)} leads"
        finding = Finding(right == len(seen), subject, finished[0].expected, said)
        # Of many rounds it is enough to keep those that went wrong, and the newest.
        kept = [past for past in self._leads.get(subject, []) if not past.holds]
        self._leads[subject] = [*kept, finding]


def _merged(findings: list[Finding]) -> Finding:
    failed = [finding for finding in findings if not finding.holds]
    if not failed:
        return findings[-1]
    return (
        replace(failed[0], seen=f"{failed[0].seen} (wrong in {len(failed)} rounds)") if len(failed) > 1 else failed[0]
    )
