"""A lead's message against the further bubbles of a reply, again and again: which ones began that must not.

    python -m benchmarks.interruption_races
    python -m benchmarks.interruption_races --races 10000 --workers 3 --seed 7

On an embedded server of its own. Exit status 1 when anything happened that must not.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.racing import carry_out
from config.settings import load
from simulation.interruption_races import PACING, Races


def main() -> int:
    """Run and print. 1 when a race ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interruption_races", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    return carry_out(parser, _races, races=10_000, every=1_000)


def _races(redis_url: str, options: argparse.Namespace) -> Races:
    settings = load(
        env_file=None,
        redis_url=redis_url,
        captivate={"environment": "dev"},
        personas={"ava": {"api_key": "ft_sk_ava", "interruptions": "stop_rest"}},
        join={"settle_seconds": 0},
        pacing=PACING,
    )
    return Races(settings, options.workers, options.seed)


if __name__ == "__main__":
    sys.exit(main())
