"""``make bench``: every figure beside its goal, medians over rounds of one run; written to ``benchmarks/RESULTS.md``.

    make bench                                   all of it, about 100 minutes
    make bench ARGS='latency idle --rounds 1'    some of it; printed only
    make bench ARGS='latency idle --keep'        some of it, in place of what the page says
    python -m benchmarks.growth --help           one of it, with its own options

Everything runs on this machine: workers, Redis, the doubles of FluidTalk and Captivate, the producer. Rates are those
of the machine: compare the ratios.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from benchmarks.report import Section, goals_table
from benchmarks.results import Measured, page_of

SECTIONS = (
    "price",
    "throughput",
    "pools",
    "latency",
    "waiting",
    "start",
    "features",
    "pythons",
    "idle",
    "growth",
    "acceptance",
    "ingress",
    "console",
    "recovery",
)
RESULTS = Path(__file__).parent / "RESULTS.md"
KEPT = Path(__file__).parent / "results"


def main() -> int:
    """Measure, print and keep. 1 when a goal was missed or a run was not clean."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"some of: {', '.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the run of slow calls that wait")
    parser.add_argument("--keep", action="store_true", help="write the page also when only some of it was measured")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no such section: {', '.join(unknown)}; there are: {', '.join(SECTIONS)}")
    found: list[Section] = []
    for name in options.sections or SECTIONS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        more = {"minutes": options.minutes} if name == "waiting" else {}
        began_at = time.monotonic()
        found.append(importlib.import_module(f"benchmarks.{name}").section(options.rounds, **more))
        print(found[-1].markdown(), flush=True)
        if options.keep or not options.sections:
            minutes = (time.monotonic() - began_at) / 60
            Measured.now(found[-1], options.rounds, minutes).keep(KEPT / f"{name}.json")
            RESULTS.write_text(page_of(KEPT, SECTIONS))
    print(goals_table([goal for section in found for goal in section.goals]).markdown())
    return int(not all(section.reached for section in found))


if __name__ == "__main__":
    sys.exit(main())
