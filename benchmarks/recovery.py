"""How soon the conversations of a killed worker continue, and what it costs to keep leases.

    python -m benchmarks.recovery --rounds 6

Three workers and two beats, as processes of their own. Leads write, the persona takes its time, and one worker gets
SIGKILL in the middle of its calls. From the kill to the next call about each lead whose call was cut off. The cost of
leases is that of one process with 1000 turns, in the time of the server and of the process.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.leads import ONE_BY_ONE, message
from benchmarks.report import Goal, Section, Table, run
from simulation.feeding import enqueue, settings_of
from simulation.judge.log import Log, read_calls
from simulation.judge.percentile import percentile
from simulation.judge.recovery import seconds_to_recover
from simulation.servers.system import RunningSystem
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.store import Store
from worker.store.conversations.turn_steps import Grant

GOAL_SECONDS = 3.0

_LATENCY_SECONDS = (5.0, 6.0)
# In the middle of the calls, also of those that a busy machine begins late.
_BEFORE_KILL_SECONDS = (3.0, 4.8)
_AFTER_KILL_SECONDS = 12.0
_TURNS = 1000
_BATCHES = 5


def section(rounds: int, leads: int = 40) -> Section:
    """Measure. ``rounds``: how many workers are killed. ``leads``: how many leads wait at each kill."""
    seconds, lost = _kills(rounds, leads)
    p99 = percentile(seconds, 0.99)
    return Section(
        title="Recovery, and the cost of leases",
        about=f"Three workers, {leads} leads whose persona answers in {_LATENCY_SECONDS[0]:g} to "
        f"{_LATENCY_SECONDS[1]:g} s, kill -9 of one worker, {rounds} times. The cost is that of one process with "
        f"{_TURNS} turns.",
        command=f"python -m benchmarks.recovery --rounds {rounds} --leads {leads}",
        tables=[
            Table(
                ("conversations that a dead worker held", "continue after, p50", "p99", "leases that living ones lost"),
                [(f"{len(seconds)}", f"{percentile(seconds, 0.5):.2f} s", f"{p99:.2f} s", f"{lost}")],
            ),
            Table(("each second", "server, ms", "process, ms of CPU"), _costs()),
        ],
        goals=(
            Goal("conversations continue, p99", f"≤ {GOAL_SECONDS:g} s", f"{p99:.2f} s", p99 <= GOAL_SECONDS),
            Goal("leases that living workers lost", "0", f"{lost}", lost == 0),
        ),
    )


def _kills(rounds: int, leads: int) -> tuple[Sequence[float], int]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recovery-")))
        log, chance = folder / "calls.jsonl", random.Random(1)
        system = stack.enter_context(
            RunningSystem(
                workers=3, beats=2, latency_seconds=_LATENCY_SECONDS, settings=ONE_BY_ONE, logs=folder, call_log=log
            )
        )
        producer = Producer(settings_of(system))
        stack.callback(producer.close)
        deaths, sent = [], []
        for number in range(rounds):
            sent += enqueue(producer, [message(f"@{number}-{lead}", f"{number} {lead}") for lead in range(leads)])
            time.sleep(chance.uniform(*_BEFORE_KILL_SECONDS))
            victim = chance.choice([worker for worker in system.workers if worker.poll() is None])
            deaths.append(time.time())
            victim.kill()
            victim.wait()
            time.sleep(_AFTER_KILL_SECONDS)
            system.start_worker()
        logs = [system.log_of("worker", number) for number in range(len(system.workers))]
        lost = sum(int(count) for text in logs for count in re.findall(r"leases lost: (\d+)", text))
        return seconds_to_recover(Log(sent, read_calls(log)), deaths), lost


def _costs() -> Sequence[Sequence[str]]:
    with RunningSystem(workers=0, beats=0, settings=ONE_BY_ONE) as system, ExitStack() as stack:
        settings = settings_of(system)
        store = Store(settings, connections=5)
        stack.callback(store.close)
        process, grants = store.process_leases(), []
        process.stop()
        for number in range(_TURNS):
            lead = Conversation("ava", f"@{number}")
            store.inbox.accept(message(lead.target))
            stack.enter_context(process.turn_in(store.keys.of(lead)))
            grant = store.steps.begin(lead, f"{process.name}-{number}")
            assert isinstance(grant, Grant), "no other turn is there"
            grants.append(grant)
        signs = _cost(store, process.renew_once)
        renewals = _cost(store, lambda: store.steps.renew(grants))
    rows = (
        ("signs of the process", signs, 1 / settings.lease.process_renew_seconds),
        ("renewal of the leases", renewals, 1 / settings.lease.renewal_seconds),
        ("renewal of the leases, every 2 s as in 0.1.0", renewals, 1 / 2),
    )
    return [(name, *(f"{cost * often:.2f}" for cost in costs)) for name, costs, often in rows]


def _cost(store: Store, act: Callable[[], object]) -> tuple[float, float]:
    # The best of some batches: others use the machine, too.
    found = []
    act()
    for _ in range(_BATCHES):
        store.redis.config_resetstat()
        began = time.process_time()
        act()
        own = (time.process_time() - began) * 1000
        commands: dict[str, dict[str, float]] = store.redis.info("commandstats")  # type: ignore[assignment]
        found.append((commands["cmdstat_evalsha"]["usec"] / 1000, own))
    return min(server for server, _ in found), min(own for _, own in found)


if __name__ == "__main__":
    sys.exit(
        run(
            "recovery",
            __doc__,
            section,
            rounds={"type": int, "default": 6},
            leads={"type": int, "default": 40, "help": "who wait when a worker is killed"},
        )
    )
