"""A lead's STOP against openers, event triggers and follow-ups, again and again: what was asked or sent after it.

    python -m benchmarks.consent_races
    python -m benchmarks.consent_races --races 100000 --scope lead --seed 7

On an embedded server of its own, with two beats. Exit status 1 when anything happened that must not.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time

from config.settings import Settings, load
from simulation.consent_races import Races, Verdict
from simulation.servers.embedded_redis import EmbeddedRedis


def settings_for(redis_url: str, scope: str) -> Settings:
    """The settings of the races on this server."""
    return load(
        env_file=None,
        redis_url=redis_url,
        captivate={"environment": "dev"},
        personas={"ava": {"api_key": "ft_sk_ava"}, "bea": {"api_key": "ft_sk_bea"}},
        join={"settle_seconds": 0},
        follow_ups={"delays_seconds": (3600,), "jitter": 0},
        pacing={"enabled": True, "minimum_seconds": 0.001, "maximum_seconds": 0.02, "characters_per_second": 1000},
        consent={"scope": scope},
    )


def main() -> int:
    """Run and print. 1 when a race ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.consent_races", description=__doc__)
    parser.add_argument("--races", type=int, default=100_000)
    parser.add_argument("--scope", choices=("persona", "lead"), default="persona")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started_at = time.monotonic()

    def progress(done: int, verdict: Verdict) -> None:
        if done % 10_000 == 0:
            print(f"{done} races in {time.monotonic() - started_at:.0f} s: {dataclasses.asdict(verdict)}", flush=True)

    with EmbeddedRedis() as server:
        told = "bea" if options.scope == "lead" else "ava"
        races = Races(settings_for(server.url, options.scope), options.seed, told)
        try:
            verdict = races.run(options.races, progress)
        finally:
            races.close()
    print(f"{options.races} races, scope {options.scope}, seed {options.seed}:")
    for name, number in dataclasses.asdict(verdict).items():
        print(f"  {name.replace('_', ' '):<18}{number:>8}")
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
