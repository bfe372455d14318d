"""Races of a lead's STOP against openers, event triggers and follow-ups, on a real store, with real beats and turns.

Each lead has one piece of outreach that is asked and sent bubble by bubble, and writes STOP at some moment of it: to
the same persona, or in the scope ``lead`` to another one. The judge compares times of one process: no call may follow
a step of the store that began when the receipt of the STOP was there already.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from config.settings import Settings
from worker.adapters.images import FetchedImage
from worker.domain.answer import Answer
from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, ChannelContext, Event, EventTrigger, InboundChat
from worker.domain.reply import Reply
from worker.domain.vocabulary import is_outreach
from worker.pipeline.ask import Asking
from worker.pipeline.errands import Errands
from worker.pipeline.follow_up_dispatch import Dispatch
from worker.pipeline.producer import Producer
from worker.pipeline.reach import Reach
from worker.pipeline.turn import Turns
from worker.store import Store
from worker.store.conversations.leases import LeaseKeeper
from worker.store.conversations.turn_steps import Grant

BATCH = 200
BEATS = 2
_WITHIN_SECONDS = 0.25
# When a STOP comes, counted from the outreach that it races.
_STOP_SECONDS = (-0.01, 0.15)
# Long enough for a STOP that comes while an answer is in hand.
_ANSWER_SECONDS = 0.002
_TURNS = 200
_KINDS: tuple[Literal["ai_opener", "event_trigger", "follow_up"], ...] = ("ai_opener", "event_trigger", "follow_up")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the races ended. The first four must be 0; the others say whether it was a race at all.

    ``asked_after``, ``sent_after``: a call that began when the STOP was accepted. ``lost``: an event without a fate.
    ``stop_asked``: a persona was asked for a STOP. ``not_asked``: the STOP came before the call; ``in_hand``: while the
    answer was in hand; ``between``: between two bubbles; ``sent_first``: everything was sent before.
    """

    asked_after: int = 0
    sent_after: int = 0
    lost: int = 0
    stop_asked: int = 0
    not_asked: int = 0
    in_hand: int = 0
    between: int = 0
    sent_first: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not (self.asked_after or self.sent_after or self.lost or self.stop_asked)


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


class _Persona:
    """Answers with two bubbles."""

    def __init__(self, seen: _Seen) -> None:
        self._seen = seen

    def ask(self, group: tuple[Event, ...], image_url: str | None) -> Answer:
        """Always the same words."""
        target = group[0].target
        self._seen.asks.setdefault(target, []).append(self._seen.last.at)
        if not is_outreach(group[0].kind):
            self._seen.stops_asked.add(target)
        time.sleep(_ANSWER_SECONDS)
        return Answer(("hello", "there"))

    def host(self, image: bytes, filename: str) -> str:
        raise AssertionError("no lead of these races sends an image")

    def try_out(self) -> None:
        """Always there."""

    def echo_of(self, group: tuple[Event, ...]) -> str:
        """It answers the same words again."""
        return ""


class _Channel:
    def __init__(self, seen: _Seen) -> None:
        self._seen = seen

    def message_of(self, context: ChannelContext, reply: Reply, sent: int) -> dict[str, Any]:
        """To whom it goes."""
        return {"to": context.session_id}

    def send(self, message: dict[str, Any], idempotency_key: str) -> None:
        """Everything arrives."""
        self._seen.sends.setdefault(message["to"], []).append(self._seen.last.at)

    def reachable(self) -> bool:
        """Always."""
        return True


class _NoImages:
    def fetch(self, url: str) -> FetchedImage:
        raise AssertionError("no lead of these races sends an image")


class Races:
    """Runs races on a store of their own, which they empty. Outreach is that of the persona ava; STOP goes to ava, or
    with ``told`` to bea."""

    def __init__(self, settings: Settings, seed: int, told: str = "ava") -> None:
        self._store = Store(settings, connections=16)
        self._keeper = LeaseKeeper(self._store.leases.renew, settings.lease.ttl_seconds, settings.lease.renew_seconds)
        self._seen = _Seen()
        reach = Reach(settings, self._store)
        persona = _Persona(self._seen)
        asking = Asking(settings, self._store, {"ava": persona, "bea": persona}, _NoImages(), reach)
        self._turns = Turns(settings, self._store, self._keeper, asking, _Channel(self._seen), reach)
        self._dispatchers = [Dispatch(self._store, settings) for _ in range(BEATS)]
        self._errands = Errands(self._store)
        self._producer = Producer(settings, store=self._store)
        self._chance = random.Random(seed)
        self._told = told
        leases, consents = self._store.leases, self._store.consents
        # A call is looked at by the step in front of it.
        for owner, step in ((leases, "begin"), (leases, "record"), (leases, "asking"), (consents, "of_lead")):
            setattr(owner, step, self._seen.timed(getattr(owner, step)))

    def close(self) -> None:
        """Stop the background thread and close all connections."""
        self._keeper.stop()
        self._store.close()

    def run(self, races: int, progress: Callable[[int, Verdict], None] | None = None) -> Verdict:
        """So many races, in batches; ``progress`` is called after each one."""
        verdict = Verdict()
        for done in range(0, races, BATCH):
            verdict += self._batch(done, min(BATCH, races - done))
            if progress:
                progress(min(done + BATCH, races), verdict)
        return verdict

    def _batch(self, first: int, races: int) -> Verdict:
        self._store.redis.flushdb()
        for seen in (self._seen.receipts, self._seen.asks, self._seen.sends):
            seen.clear()
        leads = [Conversation("ava", f"@{first + number}") for number in range(races)]
        for lead in leads:
            if _kind_of(lead) == "follow_up":
                self._fall_silent(lead)
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
        return sum(map(self._judge, leads), Verdict())

    def _finish(self, conversation: Conversation) -> None:
        for _ in range(_TURNS):
            said = self._turns.run(*conversation)
            if said == "nothing to do":
                return
        raise RuntimeError(f"a lead of the races is not done after {_TURNS} turns: the last one said {said}")

    def _fall_silent(self, lead: Conversation) -> None:
        self._store.inbox.accept(_words(lead, "hi"))
        grant = self._store.leases.begin(lead, lead.target)
        assert isinstance(grant, Grant), "nobody else is there yet"
        now = self._store.follow_ups.now()
        due = now + int(self._chance.uniform(0, _WITHIN_SECONDS) * 1000)
        planned = Planned(0, now - 3_600_000, Touch(due, "a race"))
        self._store.leases.settle(grant, "answered", mark="started", follow_up=planned)

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
                # Doorbells are hints: any conversation may be rung for at any moment.
                self._turns.run(*leads[place % len(leads)])
                place += 1

        return run

    def _write(self, lead: Conversation) -> None:
        about = {"persona": lead.persona, "target": lead.target, "channel": _channel(lead), "event_id": "e"}
        if _kind_of(lead) == "ai_opener":
            self._producer.enqueue(AiOpener(**about))
        elif _kind_of(lead) == "event_trigger":
            self._producer.enqueue(EventTrigger(event_type="story_reaction", **about))

    def _stop(self, lead: Conversation) -> None:
        self._producer.enqueue(_words(Conversation(self._told, lead.target), "STOP"))
        self._seen.receipts[lead.target] = time.monotonic()

    def _shuffled(self, leads: Sequence[Conversation]) -> list[Conversation]:
        return self._chance.sample(leads, len(leads))

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


def _channel(lead: Conversation) -> ChannelContext:
    metadata = {"internal": {"channelMetadata": {"channelMetadata": {"channel": "c"}}}}
    return ChannelContext(session_id=lead.target, metadata=metadata)


def _words(lead: Conversation, message: str) -> InboundChat:
    return InboundChat(persona=lead.persona, target=lead.target, message=message, channel=_channel(lead))


def _at_their_times(times: Mapping[Conversation, float], act: Callable[[Conversation], None]) -> Callable[[], None]:
    def run() -> None:
        began_at = time.monotonic()
        for lead, at in sorted(times.items(), key=lambda each: each[1]):
            time.sleep(max(0.0, began_at + at - time.monotonic()))
            act(lead)

    return run
