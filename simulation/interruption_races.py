"""Races of a lead's message against the further bubbles of a paced reply, on a real store, with real turns.

Each lead gets a reply of four bubbles and writes again at a random moment. The judge reads the timeline, which the
store's scripts write in the order of what happened: no further bubble may begin after the message was accepted, and
what was withheld must be listed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Settings
from simulation import races
from simulation.races import Channel, Persona, chat
from worker.domain.conversation import Conversation
from worker.domain.reasons import read
from worker.domain.vocabulary import Cause, figures
from worker.store.views.timeline import Moment

BUBBLES = 4
# For settings: pauses so short that a race takes no longer than its turns.
PACING = {"enabled": True, "minimum_seconds": 0.2, "maximum_seconds": 0.4, "jitter": 1}
_WITHIN_SECONDS = 1.2


@dataclass(frozen=True, slots=True)
class Verdict(races.Verdict):
    """How the races ended. The first two must be 0; the others say whether it was a race at all.

    ``begun_after``: bubbles that began after the lead's message was accepted; ``unlisted``: replies whose withheld
    bubbles are not listed, or not all of them; ``withheld``: replies that were cut; ``whole``: replies that were not.
    """

    MUST_BE_ZERO = ("begun_after", "unlisted")

    begun_after: int = 0
    unlisted: int = 0
    withheld: int = 0
    whole: int = 0


class Races(races.Races[Verdict]):
    """Races of the persona ava, with ``PACING``."""

    def __init__(self, settings: Settings, workers: int, seed: int) -> None:
        persona = Persona(*(f"bubble {number}" for number in range(BUBBLES)))
        super().__init__(settings, seed, Verdict(), persona=persona, channel=Channel(), connections=workers + 10)
        self._workers = workers

    def _batch(self, leads: Sequence[Conversation]) -> None:
        for lead in leads:
            self._store.inbox.accept(chat(lead))
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

    def _judge(self, lead: Conversation) -> Verdict:
        return judged(self._store.timeline.of(lead))

    def _working(self, leads: Sequence[Conversation], stop: threading.Event) -> None:
        while not stop.is_set():
            for lead in leads:
                # Doorbells are hints: any conversation may get one at any moment.
                self._turns.run(*lead)

    def _writing(self, leads: Sequence[Conversation]) -> None:
        for lead in leads:
            time.sleep(self._chance.uniform(0, 2 * _WITHIN_SECONDS / len(leads)))
            self._store.inbox.accept(chat(lead))


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
