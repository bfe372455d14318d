"""From the trials of several rounds to figures side by side. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers.trial import Trial
from benchmarks.report import Table

COLUMNS = (
    "system",
    "turns/s",
    "to ours",
    "worker CPU ms/turn",
    "overtaken / asked twice / sent twice / unanswered",
    "machine busy",
    "of it simulated services",
)


@dataclass(frozen=True, slots=True)
class Faults:
    """What went wrong in several trials together. ``unanswered``: until the end of the time."""

    overtaken: int
    asked_twice: int
    sent_twice: int
    unanswered: int

    def __str__(self) -> str:
        return f"{self.overtaken} / {self.asked_twice} / {self.sent_twice} / {self.unanswered}"

    @property
    def none(self) -> bool:
        """Whether nothing did."""
        return not (self.overtaken or self.asked_twice or self.sent_twice or self.unanswered)


def faults(trials: Sequence[Trial]) -> Faults:
    """Those of all trials together."""
    verdicts = [trial.verdict for trial in trials]
    return Faults(
        sum(verdict.overtaken for verdict in verdicts),
        sum(verdict.asked_twice for verdict in verdicts),
        sum(verdict.doubled for verdict in verdicts),
        sum(verdict.undelivered for verdict in verdicts),
    )


def median(trials: Sequence[Trial], figure: Callable[[Trial], float]) -> float:
    """The median of a figure over trials."""
    return statistics.median(map(figure, trials))


def median_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """The median over rounds of each round's ratio: what slows a round down slows both of its sides. 0 to 0 is 1."""
    return statistics.median(_ratio(value, other) for value, other in zip(values, others, strict=True))


def rates(trials: Sequence[Trial]) -> list[float]:
    """Turns a second, round by round."""
    return [trial.turns_per_second for trial in trials]


def trials_table(title: str, found: Mapping[str, Sequence[Trial]], ours: str) -> Table:
    """A case: a row for each system, by name. ``ours``: the one that the others are compared with."""
    columns = (title, *COLUMNS[1:])
    return Table(columns, [_row(name, trials, found[ours]) for name, trials in found.items()])


def cost_table(trials: Sequence[Trial]) -> Table:
    """Where the machine's time goes: for each party its time for each turn and its share of all cores."""
    parties = sorted(trials[0].cpu, key=lambda party: -median(trials, lambda trial: trial.cpu[party]))
    rows = [
        (party, f"{median(trials, cost):.2f}", f"{median(trials, share):.0%}")
        for party, cost, share in ((party, *_figures(party)) for party in parties)
    ]
    others = median(trials, lambda trial: max(0.0, trial.busy - sum(trial.cpu.values())) / trial.available)
    idle = median(trials, lambda trial: max(0.0, 1 - trial.busy_share))
    rows += [("everything else on the machine", "", f"{others:.0%}"), ("idle", "", f"{idle:.0%}")]
    return Table(("where the machine's time goes", "CPU ms/turn", "share of all cores"), rows)


def _figures(party: str) -> tuple[Callable[[Trial], float], Callable[[Trial], float]]:
    return lambda trial: trial.cpu_ms_per_turn(party), lambda trial: trial.share(party)


def _row(name: str, trials: Sequence[Trial], ours: Sequence[Trial]) -> tuple[str, ...]:
    seconds = max(trial.seconds for trial in trials)
    late = "" if all(trial.in_time for trial in trials) else f" after {seconds:.0f} s"
    return (
        name,
        f"{median(trials, lambda trial: trial.turns_per_second):.0f}",
        f"{median_ratio(rates(trials), rates(ours)):.2f}",
        f"{median(trials, lambda trial: trial.cpu_ms_per_turn('workers')):.2f}",
        f"{faults(trials)}{late}",
        f"{median(trials, lambda trial: trial.busy_share):.0%}",
        f"{median(trials, lambda trial: trial.share('simulated services')):.0%}",
    )


def _ratio(value: float, other: float) -> float:
    if not other:
        return 1.0 if not value else float("inf")
    return value / other
