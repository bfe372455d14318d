"""What the demo adds up to: the books, a mark for each scripted lead, order, speed, and whether all of it is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from simulation.demo.findings import Finding
from simulation.demo.notices import Notice, row_of
from simulation.demo.screen import Screen
from simulation.demo.speed import Speed
from simulation.judge.percentile import percentile
from worker.domain.vocabulary import FATES
from worker.store.views.books import Account

_RESENT = (
    "  A bubble is resent on purpose: its first send was taken but never confirmed, and silence would\n"
    "  be worse. The same Idempotency-Key lets a channel that heeds it drop the repeat."
)
_COUNTS = ("accepted", *FATES, "waiting", "unexplained")


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is shown at the end. ``cut_short``: leads that were interrupted and are not judged.

    ``notices``: those of one lead. ``settle_seconds`` and ``tick_seconds`` explain the speed.
    """

    accounts: Sequence[Account]
    leads: Sequence[Finding]
    books: Sequence[Finding]
    order: Sequence[Finding]
    speed: Speed
    cut_short: int
    rounds: int
    notices: Sequence[Notice]
    settle_seconds: float
    tick_seconds: float

    @property
    def findings(self) -> list[Finding]:
        """All claims."""
        return [*self.leads, *self.books, *self.order]

    @property
    def failed(self) -> list[Finding]:
        """The claims that do not hold."""
        return [finding for finding in self.findings if not finding.holds]


def show(summary: Summary, screen: Screen) -> None:
    """Print the summary, all but the verdict."""
    screen.heading("What became of every event (the books, for each persona)")
    screen.table(_books(summary.accounts))
    screen.table(_findings(summary.books))
    screen.heading("The leads (expected, and seen in the logs of the simulated services)")
    screen.table(_findings(summary.leads))
    if summary.cut_short:
        screen.remark(f"  {summary.cut_short} leads were interrupted in the middle and are not judged", "dim")
    screen.heading("Notices (pulled at the ingress, as a CRM would: those of one lead, without content)")
    _show_notices(summary.notices, screen)
    screen.heading("Order (judged from the logs of the simulated services alone)")
    screen.table(_findings(summary.order))
    screen.remark(_RESENT, "dim")
    screen.heading("Speed (the crowd)")
    _show_speed(summary, screen)


def show_verdict(summary: Summary, screen: Screen) -> None:
    """Print the last words: that all is true, or what is not."""
    screen.console.print()
    total = len(summary.findings)
    when = (f"{summary.rounds} rounds, " if summary.rounds > 1 else "") + f"{screen.seconds():.0f} s"
    if not summary.failed:
        screen.remark(f"All {total} checks hold ({when}).", "bold green")
        return
    screen.remark(f"{len(summary.failed)} of {total} checks failed ({when}):", "bold red")
    for finding in summary.failed:
        screen.remark(f"  ✗ {finding.subject}: expected {finding.expected}; seen {finding.seen}", "red")


def _books(accounts: Sequence[Account]) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("")
    for count in _COUNTS:
        table.add_column(count, justify="right", header_style="dim")
    for account in accounts:
        table.add_row(f"  {account.persona}", *(_number(count, getattr(account, count)) for count in _COUNTS))
    return table


def _number(count: str, number: int) -> Text:
    bad = number and count in ("dead", "waiting", "unexplained")
    return Text(str(number), "bold red" if bad else "dim" if number == 0 else "")


def _findings(findings: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=3, justify="right")
    table.add_column(width=11)
    table.add_column(width=47)
    table.add_column(ratio=1)
    for finding in findings:
        mark = Text("✓", "green") if finding.holds else Text("✗", "bold red")
        style = "" if finding.holds else "red"
        table.add_row(mark, Text(finding.subject, style), Text(finding.expected, "dim"), Text(finding.seen, style))
    return table


def _show_notices(notices: Sequence[Notice], screen: Screen) -> None:
    table = Table.grid(padding=(0, 2))
    for notice in notices:
        row = row_of(notice)
        table.add_row(f"  {notice['target']}", row.type, Text(row.kind, "dim"), row.cause, Text(row.calls, "dim"))
    screen.table(table)


def _show_speed(summary: Summary, screen: Screen) -> None:
    speed = summary.speed
    rows = [
        (
            "accepted to delivered",
            speed.to_answer,
            f"each message; with {summary.settle_seconds:g} s pause and think time",
        ),
        (
            "the worker's own part",
            speed.own,
            f"each turn, without both; beat ticks every {summary.tick_seconds:g} s",
        ),
    ]
    table = Table.grid(padding=(0, 2))
    for name, seconds, note in rows:
        p50, p95 = (percentile(seconds, share) if seconds else 0.0 for share in (0.5, 0.95))
        table.add_row(f"  {name}", f"p50 {p50:.2f} s", f"p95 {p95:.2f} s", Text(note, "dim"))
    screen.table(table)
    screen.remark(
        f"  {len(speed.own)} turns in {speed.busy:.1f} s: {speed.turns_per_second:.0f} turns per second. "
        "That is how fast they write, not how fast the worker is."
    )
