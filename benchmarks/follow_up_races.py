"""A lead's reply against the follow-up that is due, again and again: what was sent, lost or doubled that must not be.

    python -m benchmarks.follow_up_races
    python -m benchmarks.follow_up_races --races 100000 --dispatchers 3 --seed 7

On an embedded server of its own. Exit status 1 when anything happened that must not.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time

from config.settings import load
from simulation.follow_up_races import Races, Verdict
from simulation.servers.embedded_redis import EmbeddedRedis


def main() -> int:
    """Run and print. 1 when a race ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.follow_up_races", description=__doc__)
    parser.add_argument("--races", type=int, default=100_000)
    parser.add_argument("--dispatchers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started_at = time.monotonic()

    def progress(done: int, verdict: Verdict) -> None:
        if done % 10_000 == 0:
            print(f"{done} races in {time.monotonic() - started_at:.0f} s: {dataclasses.asdict(verdict)}", flush=True)

    with EmbeddedRedis() as server:
        settings = load(
            env_file=None,
            redis_url=server.url,
            captivate={"environment": "dev"},
            personas={"ava": {"api_key": "ft_sk_ava"}},
            join={"settle_seconds": 0},
            follow_ups={"delays_seconds": (3600,), "jitter": 0},
        )
        races = Races(settings, options.dispatchers, options.seed)
        try:
            verdict = races.run(options.races, progress)
        finally:
            races.close()
    print(f"{options.races} races, {options.dispatchers} dispatchers, seed {options.seed}:")
    for name, number in dataclasses.asdict(verdict).items():
        print(f"  {name.replace('_', ' '):<18}{number:>8}")
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
