"""Races of a lead's STOP against openers, event triggers and follow-ups, on a real store, with real beats and turns.

Each lead has one piece of outreach that is asked and sent bubble by bubble, and writes STOP at some moment of it: to
the same persona, or in the scope ``lead`` to another one. The judge compares times of one process: no call may follow
a step of the store that began when the receipt of the STOP was there already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from config.settings import Settings
from simulation import races
from simulation.races import Channel, Persona, chat, context_of
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, StoredEvent
from worker.domain.vocabulary import is_outreach
from worker.pipeline.errands import Errands
from worker.pipeline.follow_up_dispatch import Dispatch
from worker.pipeline.producer import Producer

BEATS = 2
_WITHIN_SECONDS = 0.25
# When a STOP comes, counted from the outreach that it races.
_STOP_SECONDS = (-0.01, 0.15)
# Long enough for a STOP that comes while an answer is in hand.
_ANSWER_SECONDS = 0.002
_KINDS: tuple[Literal["ai_opener", "event_trigger", "follow_up"], ...] = ("ai_opener", "event_trigger", "follow_up")


@dataclass(frozen=True, slots=True)
class Verdict(races.Verdict):
    """How the races ended. The first four must be 0; the others say whether it was a race at all.

    ``asked_after``, ``sent_after``: a call that began when the STOP was accepted. ``lost``: an event without a fate.
    ``stop_asked``: a persona was asked for a STOP. ``not_asked``: the STOP came before the call; ``in_hand``: while the
    answer was in hand; ``between``: between two bubbles; ``sent_first``: everything was sent before.
    """

    MUST_BE_ZERO = ("asked_after", "sent_after", "lost", "stop_asked")

    asked_after: int = 0
    sent_after: int = 0
    lost: int = 0
    stop_asked: int = 0
    not_asked: int = 0
    in_hand: int = 0
    between: int = 0
    sent_first: int = 0


@dataclass(slots=True)
class _Seen:
    # Of each lead: when the receipt of the STOP was there; when the steps began that calls followed.
    receipts: dict[str, float] = field(default_factory=dict)
    asks: dict[str, list[float]] = field(default_factory=dict)
    sends: dict[str, list[float]] = field(default_factory=dict)
    stops_asked: set[str] = field(default_factory=set)
    # Of this thread, the step of the store that began last.
    last: threading.local = field(default_factory=threading.local)

    def timed(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            self.last.at = time.monotonic()
            return step(*arguments, **named)

        return run

    def heard(self, group: tuple[StoredEvent, ...]) -> None:
        target = group[0].target
        self.asks.setdefault(target, []).append(self.last.at)
        if not is_outreach(group[0].kind):
            self.stops_asked.add(target)
        time.sleep(_ANSWER_SECONDS)

    def sent(self, target: str) -> None:
        self.sends.setdefault(target, []).append(self.last.at)


class Races(races.Races[Verdict]):
    """Outreach is that of the persona ava; STOP goes to ava, or with ``told`` to bea."""

    def __init__(self, settings: Settings, seed: int, told: str = "ava") -> None:
        self._seen = _Seen()
        persona, channel = Persona("hello", "there", heard=self._seen.heard), Channel(self._seen.sent)
        super().__init__(settings, seed, Verdict(), persona=persona, channel=channel, connections=16)
        self._dispatchers = [Dispatch(self._store, settings) for _ in range(BEATS)]
        self._errands = Errands(self._store)
        self._producer = Producer(settings, store=self._store)
        self._told = told
        steps, consents = self._store.steps, self._store.consents
        # A call is looked at by the step in front of it.
        for owner, step in ((steps, "begin"), (steps, "record"), (steps, "asking"), (consents, "of_lead")):
            setattr(owner, step, self._seen.timed(getattr(owner, step)))

    def _batch(self, leads: Sequence[Conversation]) -> None:
        for seen in (self._seen.receipts, self._seen.asks, self._seen.sends):
            seen.clear()
        for lead in leads:
            if _kind_of(lead) == "follow_up":
                self._fall_silent(lead, _WITHIN_SECONDS)
        over = threading.Event()
        jobs = [self._beat(dispatch, over) for dispatch in self._dispatchers]
        jobs += [self._working(self._shuffled(leads), over) for _ in range(2)]
        starts = {lead: self._chance.uniform(0, _WITHIN_SECONDS) for lead in leads}
        stops = {lead: at + self._chance.uniform(*_STOP_SECONDS) for lead, at in starts.items()}
        ends = [_at_their_times(starts, self._write), _at_their_times(stops, self._stop)]
        threads, writers = ([threading.Thread(target=job) for job in each] for each in (jobs, ends))
        for thread in (*threads, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        over.set()
        for thread in threads:
            thread.join()
        self._dispatchers[0].run()
        for lead in leads:
            for conversation in {lead, Conversation(self._told, lead.target)}:
                self._finish(conversation)

    def _beat(self, dispatch: Dispatch, over: threading.Event) -> Callable[[], None]:
        def run() -> None:
            while not over.is_set():
                dispatch.run()
                self._errands.run()
                for conversation, _ in self._store.agenda.claim_due():
                    self._turns.run(*conversation)

        return run

    def _working(self, leads: Sequence[Conversation], over: threading.Event) -> Callable[[], None]:
        def run() -> None:
            place = 0
            while not over.is_set():
                # Doorbells are hints: any conversation may get one at any moment.
                self._turns.run(*leads[place % len(leads)])
                place += 1

        return run

    def _write(self, lead: Conversation) -> None:
        about = {"persona": lead.persona, "target": lead.target, "channel": context_of(lead), "event_id": "e"}
        if _kind_of(lead) == "ai_opener":
            self._producer.enqueue(AiOpener(**about))
        elif _kind_of(lead) == "event_trigger":
            self._producer.enqueue(EventTrigger(event_type="story_reaction", **about))

    def _stop(self, lead: Conversation) -> None:
        self._producer.enqueue(chat(Conversation(self._told, lead.target), "STOP"))
        self._seen.receipts[lead.target] = time.monotonic()

    def _judge(self, lead: Conversation) -> Verdict:
        receipt = self._seen.receipts[lead.target]
        asks, sends = self._seen.asks.get(lead.target, []), self._seen.sends.get(lead.target, [])
        return Verdict(
            asked_after=sum(at > receipt for at in asks),
            sent_after=sum(at > receipt for at in sends),
            lost=int(not self._has_ended(lead)),
            stop_asked=int(lead.target in self._seen.stops_asked),
            not_asked=int(not asks),
            in_hand=int(bool(asks) and not sends),
            between=int(len(sends) == 1),
            sent_first=int(len(sends) > 1),
        )

    def _has_ended(self, lead: Conversation) -> bool:
        if self._store.inbox.waiting(lead):
            return False
        words = [moment.word for moment in self._store.timeline.of(lead)]
        if _kind_of(lead) == "follow_up" and "follow-up dropped" in words:
            return True
        return any(word in ("answered", "skipped") for word in words[words.index("accepted") :])


def _kind_of(lead: Conversation) -> str:
    return _KINDS[int(lead.target[1:]) % len(_KINDS)]


def _at_their_times(times: Mapping[Conversation, float], act: Callable[[Conversation], None]) -> Callable[[], None]:
    def run() -> None:
        began_at = time.monotonic()
        for lead, at in sorted(times.items(), key=lambda each: each[1]):
            time.sleep(max(0.0, began_at + at - time.monotonic()))
            act(lead)

    return run
