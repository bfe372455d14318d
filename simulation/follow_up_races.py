"""Races of a lead's reply against the follow-up that is due, on a real store, with real dispatchers and turns.

Conversations fall silent; then dispatchers, leads and workers are let loose on them in threads. The judge reads each
conversation's timeline, which the store's scripts write in the order of what happened: a follow-up whose turn began
after the reply was accepted must not have been asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.settings import Settings
from simulation import races
from simulation.races import Channel, Persona, chat
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause
from worker.pipeline.follow_up_dispatch import Dispatch

_WITHIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Verdict(races.Verdict):
    """How the races ended. The first three must be 0; the others say whether it was a race at all.

    ``reply_first``: the reply came before the follow-up was accepted; ``gave_way``: after that, but before its turn;
    ``sent_first``: the turn of the follow-up had begun.
    """

    MUST_BE_ZERO = ("sent_after_reply", "lost", "doubled")

    sent_after_reply: int = 0
    lost: int = 0
    doubled: int = 0
    reply_first: int = 0
    gave_way: int = 0
    sent_first: int = 0


class Races(races.Races[Verdict]):
    """Races of the persona ava, which has a cadence."""

    def __init__(self, settings: Settings, dispatchers: int, seed: int) -> None:
        super().__init__(
            settings, seed, Verdict(), persona=Persona("yes"), channel=Channel(), connections=dispatchers + 10
        )
        self._dispatchers = [Dispatch(self._store, settings) for _ in range(dispatchers)]

    def _batch(self, leads: Sequence[Conversation]) -> None:
        for lead in leads:
            self._fall_silent(lead, _WITHIN_SECONDS)
        all_have_written = threading.Event()
        loose = [self._dispatching(one, all_have_written) for one in self._dispatchers]
        loose += [self._working(self._shuffled(leads), all_have_written) for _ in range(2)]
        writing = [self._writing(half) for half in _halves(self._shuffled(leads))]
        threads = [threading.Thread(target=job) for job in loose]
        writers = [threading.Thread(target=job) for job in writing]
        for thread in (*threads, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        all_have_written.set()
        for thread in threads:
            thread.join()
        self._dispatchers[0].run()
        for lead in leads:
            self._finish(lead)

    def _dispatching(self, dispatch: Dispatch, stop: threading.Event) -> Callable[[], None]:
        def run() -> None:
            while not stop.is_set():
                dispatch.run()

        return run

    def _writing(self, leads: Sequence[Conversation]) -> Callable[[], None]:
        pauses = [self._chance.uniform(0, 2 * _WITHIN_SECONDS / len(leads)) for _ in leads]

        def run() -> None:
            for lead, pause in zip(leads, pauses, strict=True):
                time.sleep(pause)
                self._store.inbox.accept(chat(lead))

        return run

    def _working(self, leads: Sequence[Conversation], stop: threading.Event) -> Callable[[], None]:
        def run() -> None:
            while not stop.is_set():
                for conversation, _ in self._store.agenda.claim_due():
                    self._turns.run(*conversation)
                for lead in leads[:20]:
                    # Doorbells are hints: any conversation may get one at any moment.
                    self._turns.run(*lead)

        return run

    def _judge(self, lead: Conversation) -> Verdict:
        moments = self._store.timeline.of(lead)
        words = [moment.word for moment in moments]
        start = words.index("follow-up planned")
        accepted = [(at, moment.details) for at, moment in enumerate(moments) if moment.word == "accepted"]
        reply_at = next(at for at, details in accepted if at > start and details[0] == "inbound_chat")
        follow_ups = [(at, str(details[1])) for at, details in accepted if details[0] == "follow_up"]
        if len(follow_ups) > 1:
            return Verdict(doubled=1)
        if not follow_ups:
            dropped = [moment.details[0] for moment in moments[start:] if moment.word == "follow-up dropped"]
            return Verdict(reply_first=1) if dropped == [Cause.LEAD_WROTE] else Verdict(lost=1)
        at, event_id = follow_ups[0]
        shard = self._store.keys.of(lead)
        fate = self._store.redis.hget(shard.journal(lead, event_id), "fate")
        if fate == "skipped":
            return Verdict(gave_way=1) if reply_at > at else Verdict(lost=1)
        if fate != "answered" or self._store.inbox.waiting(lead):
            return Verdict(lost=1)
        asked_at = words.index("asking", at)
        return Verdict(sent_after_reply=1) if reply_at < asked_at else Verdict(sent_first=1)


def _halves(leads: Sequence[Conversation]) -> list[Sequence[Conversation]]:
    middle = len(leads) // 2
    return [half for half in (leads[:middle], leads[middle:]) if half]
