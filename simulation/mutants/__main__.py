"""``make mutants``: changes lines of the core, one at a time, and asks the tests. Ends with 1 below the goal."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import NoReturn

from simulation.mutants import campaign, choice, equivalent, record
from simulation.mutants.mutant import Mutant
from simulation.mutants.report import report
from simulation.mutants.results import Results
from simulation.mutants.tree import ROOT, copied
from simulation.mutants.trial import Limits, Trials

# Not in .cache: `make docs` empties that.
KEPT = ROOT / ".mutants"


def main() -> int:
    """Read the command line, try what was not tried, say what is known."""
    options = _options()
    # The copy of the project goes also when the run is ended from outside.
    signal.signal(signal.SIGTERM, _end)
    if options.unreached:
        print(*record.unreached(record.up_to_date(KEPT / "record.json", ROOT, _say), ROOT), sep="\n")
        return 0
    entries, results = equivalent.table(), Results(KEPT / "results.jsonl")
    chosen = _chosen(options)
    if not options.survivors:
        _try(chosen, results, entries, options)
    found = report(chosen, results, entries)
    print(*found.lines(), sep="\n", flush=True)
    return int(found.killed_percent < options.goal)


def _chosen(options: argparse.Namespace) -> list[Mutant]:
    lua, python = choice.candidates(ROOT, (record.LUA,)), choice.candidates(ROOT, record.PYTHON)
    if options.file:
        files = {file: lines for file, lines in {**lua, **python}.items() if fnmatch(file, f"*{options.file}*")}
        return choice.everything(files) if options.all else choice.sample(files, options.sample, options.seed)
    if options.all:
        return choice.everything({**lua, **python})
    half = options.sample // 2
    return choice.sample(lua, options.sample - half, options.seed) + choice.sample(python, half, options.seed)


def _try(
    chosen: Sequence[Mutant], results: Results, entries: Sequence[equivalent.Equivalent], options: argparse.Namespace
) -> None:
    left = campaign.left_of(chosen, results, entries, again=options.again)
    if not left:
        return
    tests = record.up_to_date(KEPT / "record.json", ROOT, _say)
    with copied() as tree:
        trials = Trials(tree, tests, Limits(explore_seconds=options.explore_seconds))
        campaign.try_all(left, trials, results, options.seconds, _say)


def _end(*_: object) -> NoReturn:
    sys.exit("ended; the next run goes on")


def _say(text: str) -> None:
    print(text, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=200, help="how many mutants (200), half of them Lua")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    parser.add_argument(
        "--all", action="store_true", help="all mutants instead of a sample: thousands, for some nights"
    )
    parser.add_argument("--file", help="only of files with this in their path, such as begin.lua or domain/retry.py")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop then; the next run goes on")
    parser.add_argument("--again", action="store_true", help="try those that survived again: there are new tests")
    parser.add_argument("--survivors", action="store_true", help="try nothing; say what is known")
    parser.add_argument("--unreached", action="store_true", help="only say which pieces of the scripts no test reaches")
    parser.add_argument("--explore-seconds", type=float, default=20.0, help="bound of the exploration (20); 0 = none")
    parser.add_argument("--goal", type=float, default=97.0, help="end with 1 when fewer percent are killed (97)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
