"""A lead's message against the further bubbles of a reply, again and again: which ones began that must not.

    python -m benchmarks.interruption_races
    python -m benchmarks.interruption_races --races 10000 --workers 3 --seed 7

On an embedded server of its own. Exit status 1 when anything happened that must not.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time

from config.settings import load
from simulation.interruption_races import PACING, Races, Verdict
from simulation.servers.embedded_redis import EmbeddedRedis


def main() -> int:
    """Run and print. 1 when a race ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interruption_races", description=__doc__)
    parser.add_argument("--races", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started_at = time.monotonic()

    def progress(done: int, verdict: Verdict) -> None:
        if done % 1_000 == 0:
            print(f"{done} races in {time.monotonic() - started_at:.0f} s: {dataclasses.asdict(verdict)}", flush=True)

    with EmbeddedRedis() as server:
        settings = load(
            env_file=None,
            redis_url=server.url,
            captivate={"environment": "dev"},
            personas={"ava": {"api_key": "ft_sk_ava", "interruptions": "stop_rest"}},
            join={"settle_seconds": 0},
            pacing=PACING,
        )
        races = Races(settings, options.workers, options.seed)
        try:
            verdict = races.run(options.races, progress)
        finally:
            races.close()
    print(f"{options.races} races, {options.workers} workers, seed {options.seed}:")
    for name, number in dataclasses.asdict(verdict).items():
        print(f"  {name.replace('_', ' '):<18}{number:>8}")
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
