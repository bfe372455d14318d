"""``make explore``: explores by chance for a while, or sees one run again. Ends with 1 when a promise was broken."""

from __future__ import annotations

import argparse
import sys
import time

from simulation.explore import campaign
from simulation.explore.campaign import Found
from simulation.explore.seeded_mutations import MANY
from simulation.explore.small_worlds import small_worlds
from simulation.explore.story import story


def main() -> int:
    """Read the command line, explore, say what was found."""
    options = _options()
    campaign.quiet()
    if options.replay:
        found = campaign.replay(options.replay)
        print(found or "nothing is broken")
        return int(bool(found))
    if options.mutations:
        return _hunt(options)
    if options.exhaustive:
        return _search(options)
    print(f"exploring from seed {options.seed} for {options.seconds:g} s in {options.processes} processes", flush=True)
    return _say(campaign.explore(options.seed, options.seconds, options.processes))


def _say(found: Found) -> int:
    for told in found.stories:
        print(f"\n{told}")
    speed = found.steps / max(found.seconds, 0.001) * 60
    print(f"\n{found.runs} runs, {found.steps} steps, {speed:.0f} a minute; promises broken in {found.failures} runs")
    return int(bool(found.failures))


def _search(options: argparse.Namespace) -> int:
    states = steps = broken = 0
    worlds = [world for world in small_worlds(options.moves) if options.only in world.name]
    if not worlds:
        return _refuse(options.only)
    for found in campaign.search_all(worlds, options.seconds, options.processes):
        word = "complete" if found.complete else "BROKEN" if found.failure else f"stopped after {found.seconds:.0f} s"
        size = f"{found.states} states, {found.steps} steps, deepest {found.deepest}, {found.ends} ends judged"
        print(f"{found.name}: {size}: {word}", flush=True)
        if found.failure:
            print(story(found.failure, "this world has no seed: --exhaustive again"), flush=True)
        states, steps, broken = states + found.states, steps + found.steps, broken + bool(found.failure)
    print(f"{states} states, {steps} steps; promises broken in {broken} worlds")
    return int(bool(broken))


def _hunt(options: argparse.Namespace) -> int:
    missed = 0
    these = [mutation for mutation in MANY if options.only in f"{mutation.file}: {mutation.says}"]
    if not these:
        return _refuse(options.only)
    for mutation, found in campaign.hunt(these, options.seed, options.seconds, options.processes):
        missed += not found.failures
        word = "found" if found.failures else "NOT FOUND"
        worlds = f" and {found.worlds} small worlds" if found.worlds else ""
        word = f"{word} in {found.runs} runs{worlds}, {found.steps} steps, {found.seconds:.1f} s"
        print(f"{mutation.file}: {mutation.says}: {word}", flush=True)
        if options.stories and found.stories:
            print(found.stories[0], flush=True)
    print(f"{len(these) - missed} of {len(these)} faults were found")
    return int(bool(missed))


def _refuse(only: str) -> int:
    print(f"nothing has {only!r} in its words; run it without --only to see them", file=sys.stderr)
    return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation.explore", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first seed; by default the time")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long (60)")
    parser.add_argument("--processes", type=int, default=2, help="in how many processes (2)")
    parser.add_argument("--exhaustive", action="store_true", help="small worlds in every order; --seconds for each")
    parser.add_argument("--moves", type=int, default=1, help="with --exhaustive: how often time may pass (1)")
    parser.add_argument("--replay", metavar="SEED[:STEPS]", help="see one run again, as a failure says")
    parser.add_argument("--mutations", action="store_true", help="put faults into the scripts and see which are found")
    parser.add_argument("--only", default="", help="the small worlds or mutations that have this in their words")
    parser.add_argument("--stories", action="store_true", help="with --mutations: tell each of them")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
