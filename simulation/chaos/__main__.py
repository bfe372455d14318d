"""``python -m simulation.chaos``: trouble everything while messages come in; print the ledger."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from simulation.chaos.report import markdown, table
from simulation.chaos.run import FAULTS, Plan, run
from simulation.chaos.troubles import NEW
from simulation.chaos.upstream_outages import NAMES
from simulation.chaos.versions import NoSuchVersion
from simulation.extra import need

PLAIN = "benchmarks.plain_celery"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 when every promise held, 1 when one did not, 2 when there is no such old version."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.back and not options.old_version:
        parser.error("--back needs --old-version REF: the version to go back to")
    need("python -m simulation.chaos")
    plan = Plan(
        seed=options.seed,
        messages=options.messages,
        conversations=options.conversations,
        seconds=options.minutes * 60,
        faults=options.faults or _usual_faults(options),
        outage_seconds=options.outage_seconds,
        outage=options.outage,
        back=options.back,
        workers=options.workers,
        app=PLAIN if options.plain else "",
        chats_only=options.chats_only,
        old_version=options.old_version,
        pace=options.pace,
        drain_seconds=max(400.0 if options.plain else 180.0, options.messages / 100),
    )
    console = Console(highlight=False)
    console.print(f"seed {plan.seed}, faults: {', '.join(plan.faults)}")
    try:
        with console.status("starting") as status:
            ledger = run(plan, status.update)
    except NoSuchVersion as error:
        console.print(f"[red]--old-version {plan.old_version}: {error}")
        return 2
    console.print(table(ledger, "plain Celery worker" if plan.app else "Parley"))
    if options.markdown:
        options.markdown.write_text(markdown(ledger) + "\n")
    for promise in ledger.broken:
        console.print(f"[red]broken: {promise}")
    console.print("some promises did not hold" if ledger.broken else "every promise held")
    return 1 if ledger.broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same messages and order of trouble"
    )
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--conversations", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=2.5, help="over which the messages are spread")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--faults", type=_faults, metavar="NAME,...", help=f"default: all of {', '.join(FAULTS)}")
    parser.add_argument(
        "--outage-seconds", type=float, default=10.0, help="how long an upstream is away at a time; default: 10"
    )
    parser.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="how many times more seldom than docs/ledger.md says the faults come",
    )
    parser.add_argument(
        "--outage",
        default="",
        choices=NAMES,
        metavar="NAME",
        help=f"with --faults outage: one outage, of this kind, from the start; one of: {', '.join(NAMES)}",
    )
    parser.add_argument("--chats-only", action="store_true", help="no openers, triggers, follow-ups and images")
    parser.add_argument(
        "--old-version",
        default="",
        metavar="REF",
        help="a rolling deploy: workers begin as that git version and are replaced one by one",
    )
    parser.add_argument(
        "--back",
        action="store_true",
        help="with --old-version: the workers begin as this version and go back",
    )
    parser.add_argument("--plain", action="store_true", help="try the plain Celery worker of benchmarks/ instead")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    return parser


def _usual_faults(options: argparse.Namespace) -> Sequence[str]:
    # An older version does not bear them; nobody promised that it would.
    return tuple(name for name in FAULTS if not options.old_version or name not in NEW)


def _faults(text: str) -> Sequence[str]:
    names = tuple(filter(None, text.split(",")))
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
