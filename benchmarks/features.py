"""What encryption, notices, the transcript and consent add to a turn, each alone and all together.

    python -m benchmarks.features --rounds 5

A system without any of them and one with a feature, one worker each, take turns in doing the same work: what else the
machine does falls on both alike. Only two workers run at a time, so that each has a core. The figure is the processor
time of worker and Redis for each turn; the rate is that of the whole machine, and varies more.
"""

from __future__ import annotations

import base64
import statistics
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.leads import ONE_BY_ONE
from benchmarks.report import Goal, Section, Table, run
from benchmarks.work import Work, in_turn, work
from simulation.servers.system import RunningSystem

GOAL_EACH = 1.05
GOAL_ALL = 1.15

# Only consent is on by default.
_NONE = {**ONE_BY_ONE, "PARLEY_CONSENT__ENABLED": "false"}
_KEY = base64.b64encode(bytes(range(32))).decode()
_EACH = {
    "encryption": {"PARLEY_ENCRYPTION__KEYS": f'["{_KEY}"]'},
    "notices": {"PARLEY_NOTICES__KEEP": "true"},
    "transcript": {"PARLEY_TRANSCRIPT__DAYS": "30"},
    "consent": {"PARLEY_CONSENT__ENABLED": "true"},
}
_ALL = "all of them"
_MESSAGES, _WARM_UP = 1500, 200
_PAIRS_A_ROUND = 3

Pairs = Sequence[tuple[Work, Work]]


def features() -> Mapping[str, Mapping[str, str]]:
    """Each feature's settings by its name, and those of all together."""
    together: dict[str, str] = {}
    for settings in _EACH.values():
        together |= settings
    return {**_EACH, _ALL: together}


def section(rounds: int) -> Section:
    """Measure ``rounds`` times: each time a pair of systems of its own for each feature."""
    found: dict[str, list[tuple[Work, Work]]] = {name: [] for name in features()}
    for _ in range(rounds):
        for name, settings in features().items():
            found[name] += _pairs(settings)
    return Section(
        title="Features",
        about="A system without encryption, notices, transcript and consent beside one that has a feature, one worker "
        f"each, persona at once; they take turns with {_MESSAGES} messages. Medians of {rounds * _PAIRS_A_ROUND} pairs "
        f"in {rounds} round(s); notices are kept, not pushed.",
        command=f"python -m benchmarks.features --rounds {rounds}",
        tables=[_table(found)],
        goals=[feature_goal(name, pairs) for name, pairs in found.items()],
    )


def feature_goal(name: str, pairs: Pairs) -> Goal:
    """A feature's goal, from pairs of work without and with it."""
    most = GOAL_ALL if name == _ALL else GOAL_EACH
    ratio = statistics.median(having.cpu_ms_per_turn / without.cpu_ms_per_turn for without, having in pairs)
    figure = f"CPU of a turn, worker and Redis, with {name} on, to that without"
    return Goal(figure, f"≤ {most:.2f} x", f"{ratio:.2f} x", round(ratio, 3) <= most, price=True)


def _pairs(settings: Mapping[str, str]) -> Pairs:
    with (
        RunningSystem(settings=_NONE) as without,
        RunningSystem(settings={**_NONE, **settings}) as having,
    ):
        for system in (without, having):
            work(system, _WARM_UP)
        return in_turn(partial(work, without, _MESSAGES), partial(work, having, _MESSAGES), _PAIRS_A_ROUND)


def _table(found: Mapping[str, Pairs]) -> Table:
    columns = (
        "on",
        "worker CPU ms/turn without, with",
        "Redis CPU ms/turn without, with",
        "worker",
        "Redis",
        "turns/s",
    )
    return Table(columns, [_row(name, pairs) for name, pairs in found.items()])


def _row(name: str, pairs: Pairs) -> Sequence[str]:
    workers = [(without.worker_ms, having.worker_ms) for without, having in pairs]
    redis = [(without.redis_ms, having.redis_ms) for without, having in pairs]
    rates = [(without.turns_per_second, having.turns_per_second) for without, having in pairs]
    return (name, *(_costs(of) for of in (workers, redis)), *(_change(of) for of in (workers, redis, rates)))


def _costs(pairs: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{statistics.median(of):.3f}" for of in zip(*pairs, strict=True))


def _change(pairs: Sequence[tuple[float, float]]) -> str:
    return f"{statistics.median(having / without for without, having in pairs) - 1:+.1%}"


if __name__ == "__main__":
    sys.exit(run("features", __doc__, section))
