"""Races of a lead's message against the further bubbles of a paced reply, on a real store, with real turns.

Each lead gets a reply of four bubbles and writes again at a random moment. The judge reads the timeline, which the
store's scripts write in the order of what happened: no further bubble may begin after the message was accepted, and
what was withheld must be listed.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from config.settings import Settings
from worker.adapters.images import FetchedImage
from worker.domain.answer import Answer
from worker.domain.conversation import Conversation
from worker.domain.events import ChannelContext, Event, InboundChat
from worker.domain.reasons import read
from worker.domain.reply import Reply
from worker.domain.vocabulary import Cause, figures
from worker.pipeline.ask import Asking
from worker.pipeline.reach import Reach
from worker.pipeline.turn import Turns
from worker.store import Store
from worker.store.conversations.leases import LeaseKeeper
from worker.store.views.timeline import Moment

BATCH = 200
BUBBLES = 4
# For settings: pauses so short that a race takes no longer than its turns.
PACING = {"enabled": True, "minimum_seconds": 0.2, "maximum_seconds": 0.4, "jitter": 1}
_WITHIN_SECONDS = 1.2
_CHANNEL = ChannelContext(
    session_id="s", metadata={"internal": {"channelMetadata": {"channelMetadata": {"channel": "c"}}}}
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the races ended. The first two must be 0; the others say whether it was a race at all.

    ``begun_after``: bubbles that began after the lead's message was accepted; ``unlisted``: replies whose withheld
    bubbles are not listed, or not all of them; ``withheld``: replies that were cut; ``whole``: replies that were not.
    """

    begun_after: int = 0
    unlisted: int = 0
    withheld: int = 0
    whole: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not (self.begun_after or self.unlisted)


class _Persona:
    def ask(self, group: tuple[Event, ...], image_url: str | None) -> Answer:
        """Always the same words."""
        return Answer(tuple(f"bubble {number}" for number in range(BUBBLES)))

    def host(self, image: bytes, filename: str) -> str:
        raise AssertionError("no lead of these races sends an image")

    def try_out(self) -> None:
        """Always there."""

    def echo_of(self, group: tuple[Event, ...]) -> str:
        """No server minds."""
        return ""


class _Channel:
    def message_of(self, context: ChannelContext, reply: Reply, sent: int) -> dict[str, Any]:
        """Whatever it is."""
        return {}

    def send(self, message: dict[str, Any], idempotency_key: str) -> None:
        """Everything arrives."""

    def reachable(self) -> bool:
        """Always."""
        return True


class _NoImages:
    def fetch(self, url: str) -> FetchedImage:
        raise AssertionError("no lead of these races sends an image")


class Races:
    """Runs races on a store of their own, which they empty. One persona, called ava, with ``PACING``."""

    def __init__(self, settings: Settings, workers: int, seed: int) -> None:
        self._store = Store(settings, connections=workers + 10)
        self._keeper = LeaseKeeper(self._store.leases.renew, settings.lease.ttl_seconds, settings.lease.renew_seconds)
        reach = Reach(settings, self._store)
        asking = Asking(settings, self._store, {"ava": _Persona()}, _NoImages(), reach)
        self._turns = Turns(settings, self._store, self._keeper, asking, _Channel(), reach)
        self._workers = workers
        self._chance = random.Random(seed)

    def close(self) -> None:
        """Stop the background thread and close all connections."""
        self._keeper.stop()
        self._store.close()

    def run(self, races: int, progress: Callable[[int, Verdict], None] | None = None) -> Verdict:
        """So many races, in batches; ``progress`` is called after each one."""
        verdict = Verdict()
        for done in range(0, races, BATCH):
            verdict += self._batch(min(BATCH, races - done))
            if progress:
                progress(min(done + BATCH, races), verdict)
        return verdict

    def _batch(self, races: int) -> Verdict:
        self._store.redis.flushdb()
        leads = [Conversation("ava", f"@{number}") for number in range(races)]
        for lead in leads:
            self._store.inbox.accept(_words(lead))
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._working, args=(self._shuffled(leads), stop)) for _ in range(self._workers)
        ]
        for lead in leads:
            # Asked before the lead writes again, or both messages would be asked together.
            self._turns.run(*lead)
        writer = threading.Thread(target=self._writing, args=(self._shuffled(leads),))
        for thread in (*threads, writer):
            thread.start()
        writer.join()
        until = time.monotonic() + 60
        while any(self._store.inbox.waiting(lead) for lead in leads) and time.monotonic() < until:
            time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        return sum((judged(self._store.timeline.of(lead)) for lead in leads), Verdict())

    def _shuffled(self, leads: Sequence[Conversation]) -> list[Conversation]:
        return self._chance.sample(leads, len(leads))

    def _working(self, leads: Sequence[Conversation], stop: threading.Event) -> None:
        while not stop.is_set():
            for lead in leads:
                # Doorbells are hints: any conversation may be rung for at any moment.
                self._turns.run(*lead)

    def _writing(self, leads: Sequence[Conversation]) -> None:
        for lead in leads:
            time.sleep(self._chance.uniform(0, 2 * _WITHIN_SECONDS / len(leads)))
            self._store.inbox.accept(_words(lead))


def judged(moments: Sequence[Moment]) -> Verdict:
    """The verdict on one lead who wrote twice, by its timeline."""
    accepted = [at for at, moment in enumerate(moments) if moment.word == "accepted"]
    ended = [at for at, moment in enumerate(moments) if moment.word == "answered"]
    if len(accepted) != 2 or not ended:
        return Verdict(unlisted=1)
    first = moments[: ended[0]]
    begun = [at for at, moment in enumerate(first) if moment.word in ("replied", "sending", "resent")]
    late = sum(at > accepted[1] for at in begun[1:])
    details = moments[ended[0]].details
    reason = read(str(details[0]))
    if reason is None:
        return Verdict(begun_after=late, unlisted=int(len(begun) != BUBBLES), whole=1)
    told = reason.cause is Cause.INTERRUPTED and reason.detail == figures(sent=len(begun), of=BUBBLES)
    return Verdict(begun_after=late, unlisted=int(not told), withheld=1)


def _words(lead: Conversation) -> InboundChat:
    return InboundChat(persona=lead.persona, target=lead.target, message="hi", channel=_CHANNEL)
