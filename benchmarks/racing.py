"""What the commands that run races have in common: options, progress, the verdict, the exit status."""

from __future__ import annotations

import dataclasses
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from simulation.races import Races
from simulation.servers.embedded_redis import EmbeddedRedis


def carry_out(parser: ArgumentParser, make: Callable[[str, Namespace], Races[Any]], *, races: int, every: int) -> int:
    """Run races on an embedded server of their own and print the verdict. Returns 1 when one ended as it must not.

    ``parser``: with the options of these races only. ``make``: gets the URL of the server and the options. ``races``:
    how many by default; ``every``: after so many the verdict so far is printed.
    """
    parser.add_argument("--races", type=int, default=races)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started_at = time.monotonic()

    def progress(done: int, verdict: Any) -> None:
        if done % every == 0:
            print(f"{done} races in {time.monotonic() - started_at:.0f} s: {dataclasses.asdict(verdict)}", flush=True)

    with EmbeddedRedis() as server:
        running = make(server.url, options)
        try:
            verdict = running.run(options.races, progress)
        finally:
            running.close()
    chosen = ", ".join(f"{name} {value}" for name, value in vars(options).items() if name != "races")
    print(f"{options.races} races, {chosen}:")
    for name, number in dataclasses.asdict(verdict).items():
        print(f"  {name.replace('_', ' '):<18}{number:>8}")
    return 0 if verdict.clean else 1
