"""What many known conversations cost, one with thousands of waiting events, and thousands that are due at once.

    python -m benchmarks.growth --rounds 3
    python -m benchmarks.growth --conversations 1000000

Known conversations are copies of what one real turn left, a planned follow-up included (``benchmarks/known.py``). A
store that holds them and an empty one, each with a worker of its own, take turns in doing the same work: what else the
machine does falls on both alike. The processor time of worker and Redis is the steadier figure of the two.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks import crowding, ringing
from benchmarks.known import answer_first, copy, known_lead, memory_by_kind
from benchmarks.leads import ONE_BY_ONE
from benchmarks.report import Goal, Section, Table, run
from benchmarks.samples import median_percentile, ms
from benchmarks.work import Work, in_turn, work
from simulation.feeding import settings_of
from simulation.servers.system import RunningSystem
from worker.pipeline.producer import Producer
from worker.store import Store

GOAL_BYTES = 2048
GOAL_RATIO = 0.9
GOAL_SLOWER = 2.0
GOAL_RINGING_SECONDS = 10.0

_SETTINGS = {**ONE_BY_ONE, "PARLEY_FOLLOW_UPS__DELAYS_SECONDS": "[86400]"}
_MESSAGES, _WARM_UP = 1200, 100
# The speed of the machine itself changes by more than what is to be seen here.
_PAIRS_A_ROUND = 5
_WAITING = 10_000
_DUE = 100_000
_DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rest:
    """Memory of a conversation at rest, in bytes: in all, and each key of a copy by kind; of the real one likewise."""

    each: float
    kinds: Mapping[str, int]
    real: Mapping[str, int]


def section(rounds: int, conversations: int = 100_000) -> Section:
    """Measure, so many rounds, with so many known conversations."""
    rest, pairs = _known(rounds, conversations)
    alone, beside = crowding.measure(rounds, _WAITING)
    rung = ringing.ring(_DUE)
    rate = statistics.median(full.turns_per_second / empty.turns_per_second for empty, full in pairs)
    cpu = statistics.median(full.cpu_ms_per_turn / empty.cpu_ms_per_turn for empty, full in pairs)
    slower = statistics.median(one.per_second for one in alone) / statistics.median(one.per_second for one in beside)
    return Section(
        title="Growth",
        about=f"{conversations} conversations at rest, each as one answered message of 70 characters with a channel "
        "context of 250 bytes and a planned follow-up leave it; an empty store and the full one work in turn, one "
        f"worker each, persona at once. Then one conversation with {_WAITING} waiting events beside others, and {_DUE} "
        "conversations that are due at once, rung for by a worker and beat with the default settings. "
        f"Medians of {rounds} rounds, the stores work {_PAIRS_A_ROUND} times in each.",
        command=f"python -m benchmarks.growth --rounds {rounds} --conversations {conversations}",
        tables=[_rest_table(rest, conversations), _work_table(pairs), _others_table(alone, beside), _rung_table(rung)],
        goals=(
            Goal(
                "a known conversation at rest",
                f"≤ {GOAL_BYTES} bytes",
                f"{rest.each:.0f} bytes",
                rest.each <= GOAL_BYTES,
            ),
            Goal(
                f"turns/s with {conversations} known conversations to those of the empty store, paired",
                f"≥ {GOAL_RATIO:g}",
                f"{rate:.2f}",
                rate >= GOAL_RATIO,
            ),
            Goal(
                "CPU per turn of worker and Redis, likewise",
                f"≤ {1 / GOAL_RATIO:.2f}",
                f"{cpu:.2f}",
                cpu <= 1 / GOAL_RATIO,
            ),
            Goal(
                f"how much slower others are beside {_WAITING} waiting events of one lead",
                f"≤ {GOAL_SLOWER:g} x",
                f"{slower:.2f} x",
                slower <= GOAL_SLOWER,
            ),
            Goal(
                f"ringing {_DUE} that are due at once",
                f"≤ {GOAL_RINGING_SECONDS:g} s",
                f"{rung.seconds:.1f} s",
                rung.seconds <= GOAL_RINGING_SECONDS,
            ),
        ),
    )


def _known(rounds: int, conversations: int) -> tuple[Rest, Sequence[tuple[Work, Work]]]:
    with RunningSystem(settings=_SETTINGS) as empty, RunningSystem(settings=_SETTINGS) as full:
        for system in (empty, full):
            work(system, _WARM_UP)
        rest = _fill(full, conversations)
        pairs = in_turn(partial(work, empty, _MESSAGES), partial(work, full, _MESSAGES), rounds * _PAIRS_A_ROUND)
    return rest, pairs


def _fill(system: RunningSystem, conversations: int) -> Rest:
    settings = settings_of(system)
    store = Store(settings, connections=2)
    with Producer(settings, store=store) as producer:
        answer_first(producer, store)
    before = _settled_memory(store)
    copy(store, conversations)
    each = (_settled_memory(store) - before) / conversations
    rest = Rest(each, memory_by_kind(store, known_lead(conversations)), memory_by_kind(store, known_lead(0)))
    store.close()
    return rest


def _settled_memory(store: Store) -> int:
    # While the append-only file is written anew, its buffers are counted too; a table that grows exists twice.
    deadline, seen = time.monotonic() + _DEADLINE_SECONDS, -1
    while time.monotonic() < deadline:
        rewriting = int(store.redis.info("persistence")["aof_rewrite_in_progress"])
        memory = int(store.redis.info("memory")["used_memory"])
        if not rewriting and abs(memory - seen) < 100_000:
            return memory
        seen = memory
        time.sleep(1.0)
    raise TimeoutError(f"the memory of Redis does not come to rest within {_DEADLINE_SECONDS:g} s")


def _rest_table(rest: Rest, conversations: int) -> Table:
    beside = rest.each - sum(rest.kinds.values())
    rows = [(f"its {kind}", str(rest.real[kind]), str(size)) for kind, size in rest.kinds.items()]
    rows += [("Redis' tables of keys and expiries, index of follow-ups", "", f"{beside:.0f}")]
    rows += [(f"in all, mean of {conversations}", "", f"{rest.each:.0f}")]
    return Table(("a known conversation, bytes", "the real one", "a copy"), rows)


def _work_table(pairs: Sequence[tuple[Work, Work]]) -> Table:
    rows = [
        (
            store,
            f"{statistics.median(pair[place].turns_per_second for pair in pairs):.0f}",
            f"{statistics.median(pair[place].worker_ms for pair in pairs):.2f}",
            f"{statistics.median(pair[place].redis_ms for pair in pairs):.2f}",
        )
        for place, store in enumerate(("empty", "full"))
    ]
    return Table(("store", "turns/s", "worker CPU ms/turn", "Redis CPU ms/turn"), rows)


def _others_table(alone: Sequence[crowding.Others], beside: Sequence[crowding.Others]) -> Table:
    rows = [
        (
            name,
            f"{statistics.median(one.per_second for one in rounds):.0f}",
            *(ms(median_percentile([one.added for one in rounds], share)) for share in (0.5, 0.95)),
        )
        for name, rounds in (("alone", alone), (f"beside {_WAITING} events of one lead", beside))
    ]
    return Table(("other leads", "turns/s of a burst", "p50 ms to the send, even load", "p95 ms"), rows)


def _rung_table(rung: ringing.Rung) -> Table:
    row = (str(_DUE), f"{rung.seconds:.1f}", f"{rung.worker_seconds:.1f}", f"{rung.redis_seconds:.1f}")
    return Table(("due at once", "seconds until all are rung for", "worker CPU s", "Redis CPU s"), [row])


if __name__ == "__main__":
    sys.exit(run("growth", __doc__, section, conversations={"type": int, "default": 100_000}))
