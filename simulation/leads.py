"""``python -m simulation.leads``: leads who write, so that a system started with simulated upstreams has work.

A producer like any other, with the settings of its environment. With ``--ingress`` every second message is sent over
HTTP. Runs until SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from config.settings import SettingsError, load
from simulation.ingress_client import IngressClient, IngressFailed
from simulation.messages import metadata
from worker.domain.events import ChannelContext, InboundChat
from worker.domain.refusals import Refused
from worker.observability import logs
from worker.pipeline.producer import Producer
from worker.store import StoreError

_log = logging.getLogger("parley.leads")

_OPENINGS = ("Hi", "Hello", "Good morning", "One question", "Thanks", "Sounds good")
_SUBJECTS = (
    "how much is it",
    "when can we talk",
    "is it still free",
    "can you send a picture",
    "who are you",
    "tell me more",
)
_REPORT_EVERY = 50

Door = Callable[[InboundChat], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write until told to stop. Returns the exit status: 2 for settings that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m simulation.leads", description=__doc__)
    parser.add_argument("--persona", default="ava", help="whom they write to (default: ava)")
    parser.add_argument("--leads", type=int, default=20, help="how many they are (default: 20)")
    parser.add_argument("--per-second", type=float, default=2.0, help="messages a second of all together (default: 2)")
    parser.add_argument("--ingress", metavar="URL", help="address of an ingress that takes a part of the messages")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the token for it")
    options = parser.parse_args(arguments)
    if bool(options.ingress) != bool(options.token_file):
        parser.error("--ingress and --token-file belong together")
    try:
        settings = load(role="producer")
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(settings.worker, settings.privacy)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with Producer(settings) as producer:
        doors: list[Door] = [producer.enqueue]
        if options.ingress:
            doors.append(IngressClient(options.ingress, options.token_file.read_text().strip()).send)
        _write(doors, options.persona, options.leads, 1 / options.per_second, stopping)
    return 0


def _write(doors: Sequence[Door], persona: str, leads: int, pause_seconds: float, stopping: threading.Event) -> None:
    written = 0
    while not stopping.wait(pause_seconds * random.uniform(0.5, 1.5)):
        try:
            doors[written % len(doors)](_message(persona, random.randrange(leads)))
        except (Refused, StoreError, IngressFailed) as error:
            _log.warning("not accepted: %s", type(error).__name__)
            continue
        written += 1
        if written % _REPORT_EVERY == 0:
            _log.info("%d messages written", written)


def _message(persona: str, lead: int) -> InboundChat:
    name = f"@lead_{lead:02d}"
    return InboundChat(
        persona=persona,
        target=name,
        message=f"{random.choice(_OPENINGS)}, {random.choice(_SUBJECTS)}?",
        channel=ChannelContext(session_id=f"session-of-{name}", metadata=metadata()),
    )


if __name__ == "__main__":
    sys.exit(main())
