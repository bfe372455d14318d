"""A lead's STOP against openers, event triggers and follow-ups, again and again: what was asked or sent after it.

    python -m benchmarks.consent_races
    python -m benchmarks.consent_races --races 100000 --scope lead --seed 7

On an embedded server of its own, with two beats. Exit status 1 when anything happened that must not.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.racing import carry_out
from config.settings import Settings, load
from simulation.consent_races import Races


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
    parser.add_argument("--scope", choices=("persona", "lead"), default="persona")
    return carry_out(parser, _races, races=100_000, every=10_000)


def _races(redis_url: str, options: argparse.Namespace) -> Races:
    told = "bea" if options.scope == "lead" else "ava"
    return Races(settings_for(redis_url, options.scope), options.seed, told)


if __name__ == "__main__":
    sys.exit(main())
