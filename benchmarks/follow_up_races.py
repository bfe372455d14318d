"""A lead's reply against the follow-up that is due, again and again: what was sent, lost or doubled that must not be.

    python -m benchmarks.follow_up_races
    python -m benchmarks.follow_up_races --races 100000 --dispatchers 3 --seed 7

On an embedded server of its own. Exit status 1 when anything happened that must not.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.racing import carry_out
from config.settings import load
from simulation.follow_up_races import Races


def main() -> int:
    """Run and print. 1 when a race ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.follow_up_races", description=__doc__)
    parser.add_argument("--dispatchers", type=int, default=2)
    return carry_out(parser, _races, races=100_000, every=10_000)


def _races(redis_url: str, options: argparse.Namespace) -> Races:
    settings = load(
        env_file=None,
        redis_url=redis_url,
        captivate={"environment": "dev"},
        personas={"ava": {"api_key": "ft_sk_ava"}},
        join={"settle_seconds": 0},
        follow_ups={"delays_seconds": (3600,), "jitter": 0},
    )
    return Races(settings, options.dispatchers, options.seed)


if __name__ == "__main__":
    sys.exit(main())
