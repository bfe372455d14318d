"""What a quiet system costs: Redis commands a second of each process, processor time, and how late due work is rung.

    python -m benchmarks.idle --seconds 30

Worker, beat and, where it is installed, Flower as processes of their own; nothing is sent to them. Commands are counted
with MONITOR, by the process that holds the connection; those that scripts call are counted apart.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from redis import Redis

from worker.conversation import Conversation
from worker.simulation.embedded_redis import free_port
from worker.simulation.system import RunningSystem
from worker.store.keys import Keys

GOAL_PER_SECOND = 5.0
GOAL_LATE_SECONDS = 0.5

_WARM_UP_SECONDS = 8.0
_SETTINGS = {"PARLEY_WORKER__LOG_LEVEL": "WARNING"}


class Commands(threading.Thread):
    """Every command that the server runs, until it is told to stop: by client address, ``lua`` for those of scripts."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(daemon=True)
        self._redis = redis
        self._until = float("inf")
        self.seen: Counter[tuple[str, str]] = Counter()

    def run(self) -> None:
        """Count."""
        with self._redis.monitor() as monitor:  # type: ignore[no-untyped-call]
            for command in monitor.listen():
                if time.monotonic() > self._until:
                    return
                client = f"{command['client_address']}:{command['client_port']}"
                client = "lua" if command["client_type"] == "lua" else client
                self.seen[client, command["command"].partition(" ")[0].upper()] += 1

    def stop(self) -> None:
        """The next command is the last one."""
        self._until = time.monotonic()
        self.join(10)


def main() -> int:
    """Measure and print. 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--planned", type=int, default=0, help="follow-ups that are planned for later")
    options = parser.parse_args()
    with RunningSystem(settings=_SETTINGS) as system:
        redis = Redis(port=system.redis.port, decode_responses=True)
        for number in range(options.planned):
            name = Conversation("ava", f"@quiet-{number}")
            redis.zadd(Keys(16).of(name).follow_ups, {name.name: (time.time() + 86_400) * 1000})
        processes = {"worker": system.workers[0].pid, "beat": system.beats[0].pid}
        flower = _start_flower(system.environment)
        if flower:
            processes["Flower"] = flower.pid
        try:
            missed = _quiet(redis, processes, options.seconds)
            missed += _late(redis, options.seconds)
        finally:
            if flower:
                flower.terminate()
                flower.wait(10)
    return int(missed > 0)


def _quiet(redis: Redis, processes: Mapping[str, int], seconds: float) -> int:
    time.sleep(_WARM_UP_SECONDS)
    commands = Commands(redis)
    before = {name: _cpu_seconds(pid) for name, pid in processes.items()}
    commands.start()
    time.sleep(seconds)
    after = {name: _cpu_seconds(pid) for name, pid in processes.items()}
    connections = {name: _connections(pid) for name, pid in processes.items()}
    commands.stop()
    print(f"quiet for {seconds:g} s: one worker, one beat" + (", Flower" if "Flower" in processes else ""))
    print("\n| process | commands a second | processor | which |\n| --- | --- | --- | --- |")
    missed = 0
    for name in processes:
        own = Counter[str]()
        for (client, command), number in commands.seen.items():
            if client in connections[name]:
                own[command] += number
        rate = own.total() / seconds
        missed += rate > GOAL_PER_SECOND
        share = (after[name] - before[name]) / seconds
        which = ", ".join(f"{command} {number / seconds:.1f}" for command, number in own.most_common())
        print(f"| {name} | {rate:.1f} | {share:.1%} | {which} |")
    inside = Counter({command: number for (client, command), number in commands.seen.items() if client == "lua"})
    which = ", ".join(f"{command} {number / seconds:.1f}" for command, number in inside.most_common(6))
    print(f"| within scripts | {inside.total() / seconds:.1f} | | {which} |")
    return missed


def _late(redis: Redis, seconds: float) -> int:
    # An entry without an inbox is taken off the agenda by the tick that finds it, which is when it would have rung.
    keys, late = Keys(16), []
    for number in range(int(seconds * 5)):
        conversation = Conversation("ava", f"@due-{number}")
        agenda = keys.of(conversation).agenda
        due_at = time.monotonic() + 0.05
        now, microseconds = redis.time()
        redis.zadd(agenda, {conversation.name: int(now) * 1000 + int(microseconds) // 1000 + 50})
        while redis.exists(agenda):
            time.sleep(0.005)
        late.append(max(0.0, time.monotonic() - due_at))
        time.sleep((0.037 * number) % 0.2)
    late.sort()
    p50, p95 = late[len(late) // 2], late[int(len(late) * 0.95)]
    print(f"\ndue until found: p50 {p50:.2f} s, p95 {p95:.2f} s, at most {late[-1]:.2f} s of {len(late)}")
    return int(p95 > GOAL_LATE_SECONDS)


def _start_flower(environment: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    if not find_spec("flower"):
        return None
    own = {"PARLEY_FLOWER__PASSWORD": "only for this run", "PARLEY_FLOWER__PORT": str(free_port())}
    own["PARLEY_FLOWER__DATABASE"] = f"/tmp/flower-{os.getpid()}"
    return subprocess.Popen(
        [sys.executable, "-m", "worker.dashboard"], env={**os.environ, **environment, **own}, stderr=subprocess.DEVNULL
    )


def _connections(pid: int) -> set[str]:
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(descriptor))
        except OSError:
            continue
    found = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[9]}]" in inodes:
            found.add(f"127.0.0.1:{int(fields[1].rpartition(':')[2], 16)}")
    return found


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
