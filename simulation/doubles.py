"""``python -m simulation``: the doubles of FluidTalk and Captivate on loopback ports.

Prints one line of JSON with both addresses when both listen. SIGTERM or SIGINT ends it with code 0.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from simulation.upstreams.call_log import CallLog
from simulation.upstreams.http_server import Addresses, serve
from simulation.upstreams.latency import Latency
from simulation.upstreams.simulation import Simulation

DEFAULT_PERSONAS = {"ava": "ft_sk_ava"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop. Returns the exit code: 0, or 1 if a port or the file cannot be had."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _allow_many_connections()
    # The records live as long as the process: looking through all of them for garbage is wasted time.
    gc.set_threshold(100_000, 50, 1_000)
    personas: dict[str, str] = dict(options.persona) or DEFAULT_PERSONAS
    try:
        with contextlib.closing(CallLog(options.call_log)) as log:
            simulation = Simulation(
                keys={key: name for name, key in personas.items()},
                log=log,
                latency={"fluidtalk": options.latency, "captivate": options.captivate_latency},
            )
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve(simulation, _announce, options.host, options.fluidtalk_port, options.captivate_port))
    except OSError as error:
        sys.stderr.write(f"the simulation cannot start: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--fluidtalk-port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--captivate-port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument(
        "--persona",
        type=_persona,
        action="append",
        default=[],
        metavar="NAME=KEY",
        help="a persona and its API key; may be given again (default: ava=ft_sk_ava)",
    )
    seconds: dict[str, Any] = {"type": _latency, "default": Latency(0.0, 0.0), "metavar": "SECONDS"}
    parser.add_argument("--latency", help="how long a persona thinks: 0.5, or 0.2:0.8 for a range", **seconds)
    parser.add_argument("--captivate-latency", help="the same for Captivate", **seconds)
    parser.add_argument("--call-log", type=Path, metavar="FILE", help="append each call as a line of JSON")
    return parser


def _persona(text: str) -> tuple[str, str]:
    name, _, key = text.partition("=")
    if not name or not key:
        raise argparse.ArgumentTypeError("expected NAME=KEY")
    return name, key


def _latency(text: str) -> Latency:
    try:
        return Latency.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected seconds such as 0.5 or 0.2:0.8, not {text!r}") from error


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems call the limit infinite and still refuse to set it.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _announce(addresses: Addresses) -> None:
    sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
    sys.stdout.flush()
