"""What a quiet system costs, and what a turn costs Redis.

    python -m benchmarks.idle --seconds 30

Worker, beat and, where it is installed, Flower as processes of their own; at first nothing is sent to them. Commands
are counted with MONITOR, by the process that holds the connection; those that scripts call are counted apart. Then
turns, one after the other, and what producer and worker send for them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec

from redis import Redis

from benchmarks.leads import ONE_BY_ONE, message
from benchmarks.monitor import Commands
from benchmarks.report import Goal, Section, Table, run
from benchmarks.usage import cpu_seconds
from simulation.feeding import settings_of
from simulation.servers.embedded_redis import free_port
from simulation.servers.system import RunningSystem
from simulation.until import until
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.store.keys import Keys

GOAL_PER_SECOND = 5.0
GOAL_SCRIPTS = 4.0

_WARM_UP_SECONDS = 8.0
_TURNS = 300
_INSIDE = "(called by scripts)"


@dataclass(frozen=True, slots=True)
class Quiet:
    """One quiet round: commands of each process, those within scripts under a name of their own, and the share of a
    core that each took."""

    commands: Mapping[str, Counter[str]]
    shares: Mapping[str, float] = field(default_factory=dict)


def section(rounds: int, seconds: float = 15.0, planned: int = 0) -> Section:
    """Measure, so many rounds of ``seconds``, with so many follow-ups planned for later."""
    quiet, of_a_turn = _measure(rounds, seconds, planned)
    names = [name for name in quiet[0].commands if name != _INSIDE]
    busiest = max(statistics.median(one.commands[name].total() / seconds for one in quiet) for name in names)
    scripts = of_a_turn["producer"]["EVALSHA"] + of_a_turn["worker"]["EVALSHA"]
    return Section(
        title="Idle, and Redis commands of a turn",
        about=f"Quiet for {seconds:g} s a round, median of {rounds} rounds. Then {_TURNS} turns, one after the other: "
        "BRPOP is Celery's own, EVALSHA the scripts accept, begin, record and settle; the hundredths and the rest go "
        "by time.",
        command=f"python -m benchmarks.idle --rounds {rounds} --seconds {seconds:g}",
        tables=[
            Table(
                ("quiet process", "commands a second", "share of a core", "which"),
                [_quiet_row(name, quiet, seconds) for name in (*names, _INSIDE)],
            ),
            Table(
                ("sent for a turn by", "EVALSHA", "BRPOP", "others"),
                [(name, *(f"{number:.2f}" for number in _three(counts))) for name, counts in of_a_turn.items()],
            ),
        ],
        goals=(
            Goal(
                "commands a second of an idle process",
                f"≤ {GOAL_PER_SECOND:g}",
                f"{busiest:.1f}",
                busiest <= GOAL_PER_SECOND,
            ),
            Goal(
                "scripts a turn, acceptance included",
                f"≤ {GOAL_SCRIPTS:g}",
                f"{scripts:.2f}",
                # Beat's ticks go on meanwhile.
                round(scripts, 1) <= GOAL_SCRIPTS,
            ),
        ),
    )


def _measure(rounds: int, seconds: float, planned: int) -> tuple[list[Quiet], Mapping[str, Mapping[str, float]]]:
    with RunningSystem(settings=ONE_BY_ONE) as system:
        redis = Redis(port=system.redis.port, decode_responses=True)
        for number in range(planned):
            lead = Conversation("ava", f"@quiet-{number}")
            redis.zadd(Keys(16).of(lead).follow_ups, {lead.name: (time.time() + 86_400) * 1000})
        processes = {"worker": system.workers[0].pid, "beat": system.beats[0].pid}
        flower = _start_flower(system.environment)
        if flower:
            processes["Flower"] = flower.pid
        try:
            time.sleep(_WARM_UP_SECONDS)
            quiet = [_quiet(redis, processes, seconds) for _ in range(rounds)]
            return quiet, _turns(redis, system)
        finally:
            if flower:
                flower.terminate()
                flower.wait(10)


def _quiet(redis: Redis, processes: Mapping[str, int], seconds: float) -> Quiet:
    commands = Commands(redis)
    before = {name: cpu_seconds([pid]) for name, pid in processes.items()}
    commands.begin()
    time.sleep(seconds)
    shares = {name: (cpu_seconds([pid]) - before[name]) / seconds for name, pid in processes.items()}
    counts = {name: commands.of(pid) for name, pid in processes.items()}
    commands.stop()
    return Quiet({**counts, _INSIDE: commands.within_scripts}, shares)


def _quiet_row(name: str, rounds: Sequence[Quiet], seconds: float) -> Sequence[str]:
    rate = statistics.median(one.commands[name].total() / seconds for one in rounds)
    share = f"{statistics.median(one.shares[name] for one in rounds):.1%}" if name in rounds[0].shares else ""
    summed = sum((one.commands[name] for one in rounds), Counter[str]())
    which = [f"{command} {number / seconds / len(rounds):.1f}" for command, number in summed.most_common(6)]
    return name, f"{rate:.1f}", share, ", ".join(which)


def _turns(redis: Redis, system: RunningSystem) -> Mapping[str, Mapping[str, float]]:
    with Producer(settings_of(system)) as producer:
        # What is loaded into the server, and the connections, belong to the start.
        _one_by_one(system, producer, "warm")
        commands = Commands(redis)
        commands.begin()
        _one_by_one(system, producer, "counted")
        counts = {"producer": commands.of(os.getpid()), "worker": commands.of(system.workers[0].pid)}
        commands.stop()
    return {name: {command: number / _TURNS for command, number in of.items()} for name, of in counts.items()}


def _one_by_one(system: RunningSystem, producer: Producer, stamp: str) -> None:
    system.upstreams.reset()
    for number in range(_TURNS):
        producer.enqueue(message(f"@{stamp}-{number}"))
        until(partial(_has_sent, system, number + 1), f"turn {number + 1}; see the worker's log", pause_seconds=0.002)


def _has_sent(system: RunningSystem, number: int) -> bool:
    return system.upstreams.summary()["captivate"].calls >= number


def _three(counts: Mapping[str, float]) -> tuple[float, float, float]:
    scripts, waiting = counts.get("EVALSHA", 0.0), counts.get("BRPOP", 0.0)
    return scripts, waiting, sum(counts.values()) - scripts - waiting


def _start_flower(environment: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    if not find_spec("flower"):
        return None
    own = {"PARLEY_FLOWER__PASSWORD": "only for this run", "PARLEY_FLOWER__PORT": str(free_port())}
    own["PARLEY_FLOWER__DATABASE"] = f"/tmp/flower-{os.getpid()}"
    return subprocess.Popen(
        [sys.executable, "-m", "worker.processes.flower"],
        env={**os.environ, **environment, **own},
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    sys.exit(
        run(
            "idle",
            __doc__,
            section,
            rounds={"type": int, "default": 1},
            seconds={"type": float, "default": 30.0},
            planned={"type": int, "default": 0, "help": "follow-ups that are planned for later"},
        )
    )
