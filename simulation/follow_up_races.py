"""Races of a lead's reply against the follow-up that is due, on a real store, with real dispatchers and turns.

Conversations fall silent; then dispatchers, leads and workers are let loose on them in threads. The judge reads each
conversation's timeline, which the store's scripts write in the order of what happened: a follow-up whose turn began
after the reply was accepted must not have been asked.
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
from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import ChannelContext, Event, InboundChat
from worker.domain.reply import Reply
from worker.domain.vocabulary import Cause
from worker.pipeline.ask import Asking
from worker.pipeline.follow_up_dispatch import Dispatch
from worker.pipeline.reach import Reach
from worker.pipeline.turn import Turns
from worker.store import Store
from worker.store.conversations.leases import LeaseKeeper
from worker.store.conversations.turn_steps import Grant

BATCH = 200
_WITHIN_SECONDS = 0.25
# More than any lead of a race can need.
_TURNS = 100
_CHANNEL = ChannelContext(
    session_id="s", metadata={"internal": {"channelMetadata": {"channelMetadata": {"channel": "c"}}}}
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the races ended. The first three must be 0; the others say whether it was a race at all.

    ``reply_first``: the reply came before the follow-up was accepted; ``gave_way``: after that, but before its turn;
    ``sent_first``: the turn of the follow-up had begun.
    """

    sent_after_reply: int = 0
    lost: int = 0
    doubled: int = 0
    reply_first: int = 0
    gave_way: int = 0
    sent_first: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not (self.sent_after_reply or self.lost or self.doubled)


class _Persona:
    """Answers at once, without a network."""

    def ask(self, group: tuple[Event, ...], image_url: str | None) -> Answer:
        """Always the same words."""
        return Answer(("yes",))

    def host(self, image: bytes, filename: str) -> str:
        raise AssertionError("no lead of these races sends an image")

    def try_out(self) -> None:
        """Always there."""

    def echo_of(self, group: tuple[Event, ...]) -> str:
        """It answers the same words again."""
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
    """Runs races on a store of their own, which they empty. One persona, called ava, with a cadence."""

    def __init__(self, settings: Settings, dispatchers: int, seed: int) -> None:
        self._store = Store(settings, connections=dispatchers + 10)
        self._keeper = LeaseKeeper(self._store.leases.renew, settings.lease.ttl_seconds, settings.lease.renew_seconds)
        reach = Reach(settings, self._store)
        asking = Asking(settings, self._store, {"ava": _Persona()}, _NoImages(), reach)
        self._turns = Turns(settings, self._store, self._keeper, asking, _Channel(), reach)
        self._dispatchers = [Dispatch(self._store, settings) for _ in range(dispatchers)]
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
            self._fall_silent(lead)
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
        return sum(map(self._judge, leads), Verdict())

    def _finish(self, lead: Conversation) -> None:
        for _ in range(_TURNS):
            said = self._turns.run(*lead)
            if said == "nothing to do":
                return
        raise RuntimeError(f"a lead of the races is not done after {_TURNS} turns: the last one said {said}")

    def _fall_silent(self, lead: Conversation) -> None:
        self._store.inbox.accept(_words(lead))
        grant = self._store.leases.begin(lead, lead.target)
        assert isinstance(grant, Grant), "nobody else is there yet"
        now = self._store.follow_ups.now()
        due = now + int(self._chance.uniform(0, _WITHIN_SECONDS) * 1000)
        # Quiet for longer than the first silence of the cadence, so that the policy does not move it.
        planned = Planned(0, now - 3_600_000, Touch(due, "a race"))
        self._store.leases.settle(grant, "answered", mark="started", follow_up=planned)

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
                self._store.inbox.accept(_words(lead))

        return run

    def _working(self, leads: Sequence[Conversation], stop: threading.Event) -> Callable[[], None]:
        def run() -> None:
            while not stop.is_set():
                for conversation, _ in self._store.agenda.claim_due():
                    self._turns.run(*conversation)
                for lead in leads[:20]:
                    # Doorbells are hints: any conversation may be rung for at any moment.
                    self._turns.run(*lead)

        return run

    def _shuffled(self, leads: Sequence[Conversation]) -> list[Conversation]:
        return self._chance.sample(leads, len(leads))

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


def _words(lead: Conversation) -> InboundChat:
    return InboundChat(persona=lead.persona, target=lead.target, message="hi", channel=_CHANNEL)


def _halves(leads: Sequence[Conversation]) -> list[Sequence[Conversation]]:
    middle = len(leads) // 2
    return [half for half in (leads[:middle], leads[middle:]) if half]
