"""One turn: begin, ask, record, deliver, settle. The order of the steps is the product; what each outcome means is
decided in ``outcomes``, what is stored in ``store``.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from config.settings import Settings
from worker import crash_points, events
from worker.asking import Asking, LeaseLost
from worker.captivate import Captivate, CaptivateError
from worker.conversation import Conversation
from worker.events import ChannelContext
from worker.follow_ups import next_follow_up
from worker.outcomes import Ask, Deliver, End, Known, Rules, Wait, before_asking, before_sending, of_delivery
from worker.reply import Reply, fill
from worker.retrying import patiently
from worker.slots import Slots
from worker.store import Store, StoreError
from worker.store.leases import Gate, Grant, NotNow
from worker.store.renewal import Lease, LeaseKeeper

_log = logging.getLogger("parley.turn")

LEFT = "left to another turn: lease lost"

Result = TypeVar("Result")


class Channel(Protocol):
    """Where replies go: ``worker.captivate.CaptivateClient``."""

    def send_message(self, captivate: Captivate, idempotency_key: str | None = None) -> object: ...


class Turns:
    """Runs turns, any number at once.

    A turn never raises for what an upstream does, nor for a store that is away: a result in hand is kept for
    ``worker.store_wait_seconds``; after that the lease runs out and another turn goes on from the journal.
    """

    def __init__(self, settings: Settings, store: Store, keeper: LeaseKeeper, asking: Asking, channel: Channel) -> None:
        self._store = store
        self._keeper = keeper
        self._asking = asking
        self._channel = channel
        self._rules = {
            name: Rules(persona, settings.retry, settings.validity) for name, persona in settings.personas.items()
        }
        self._cadences = {name: settings.follow_ups_of(name).delays_seconds for name in settings.personas}
        self._store_wait_seconds = settings.worker.store_wait_seconds
        self._slots = Slots(settings.worker.concurrency, len(settings.personas))
        self._jitter = random.Random()
        self._process = uuid.uuid4().hex

    def run(self, persona: str, target: str) -> str:
        """Run one turn of a conversation if it may run now. Returns how it went, as one phrase without content.

        When the persona has its share of this process's slots, the doorbell waits and the thread is free again; a
        thread whose turn has ended goes on with those who wait.
        """
        if not self._asking.knows(persona):
            _log.error("turn refused: persona is not configured, its events wait", extra={"persona": persona})
            return f"refused: persona {persona} is not configured"
        # A busy persona keeps this thread for hours: only the last turns are worth showing.
        phrases: deque[str] = deque(maxlen=3)
        following = self._slots.enter(Conversation(persona, target))
        while following:
            try:
                phrases.append(self._run(following))
            except StoreError as error:
                # The doorbell is used up, but the agenda rings again; what was stored is where the next turn goes on.
                _log.warning("turn left: store away (%s)", type(error).__name__, extra={"persona": persona})
                phrases.append("left: store away")
            except BaseException:
                self._slots.leave(persona, serve=False)
                raise
            following = self._slots.leave(persona)
        return "; ".join(phrases) or "waits: the persona has its share of the slots"

    def stop(self) -> None:
        """The process is about to stop: turns under way finish, no further one begins in their threads."""
        self._slots.close()

    def _run(self, conversation: Conversation) -> str:
        asked_at = time.monotonic()
        granted, probe = self._begin(conversation, f"{self._process}-{uuid.uuid4().hex[:12]}")
        if isinstance(granted, NotNow):
            return _not_now(granted)
        crash_points.reached("after begin")
        with self._keeper.keep(granted, asked_at) as lease:
            phrase = self._proceed(lease, probe)
        seconds = time.monotonic() - asked_at
        _log.info(
            "turn: %s",
            phrase,
            extra={"conversation": conversation.name, "kind": granted.head.kind, "seconds": round(seconds, 3)},
        )
        return f"{phrase}, {seconds:.1f} s"

    def _begin(self, conversation: Conversation, token: str) -> tuple[Grant | NotNow, Gate | None]:
        answer = self._store.leases.begin(conversation, token)
        if isinstance(answer, Grant) or answer.status != "probe":
            return answer, None
        gate: Gate = "circuit" if answer.reason == "circuit" else "credits"
        if not self._store.personas.claim_probe(conversation.persona, gate, token):
            return answer, None
        return self._store.leases.begin(conversation, token, probe=gate), gate

    def _proceed(self, lease: Lease, probe: Gate | None) -> str:
        grant, head = lease.grant, lease.grant.head
        rules = self._rules[grant.conversation.persona]
        if head.reply is not None:
            resume = before_sending(head, rules)
            return (
                self._end(lease, resume) if isinstance(resume, End) else self._deliver(lease, Reply.of_json(head.reply))
            )
        waited_seconds = (grant.now - grant.entries[-1].accepted_at) / 1000
        known = Known(grant.sealed, grant.owned_elsewhere, grant.last_inbound, waited_seconds)
        step = before_asking(head, known, rules)
        if not isinstance(step, Ask):
            return self._carry_out(lease, step)
        try:
            decision = self._asking.ask(grant, rules, second=step.second, probe=probe, still_held=lease.held)
        except LeaseLost:
            return LEFT
        return self._carry_out(lease, decision)

    def _carry_out(self, lease: Lease, decision: Deliver | End | Wait) -> str:
        if isinstance(decision, Deliver):
            return self._record(lease, decision.reply)
        return self._end(lease, decision) if isinstance(decision, End) else self._hold(lease, decision)

    def _record(self, lease: Lease, reply: Reply) -> str:
        asked_at = time.monotonic()
        recorded = self._surely(lambda: self._store.leases.record(lease.grant, reply.to_json()))
        crash_points.reached("after record")
        if recorded.status != "holder":
            return LEFT
        lease.renewed(asked_at)
        return self._deliver(lease, Reply.of_json(recorded.reply))

    def _deliver(self, lease: Lease, reply: Reply) -> str:
        if not lease.held():
            return LEFT
        grant = lease.grant
        started_at = time.monotonic()
        failure: CaptivateError | None = None
        crash_points.reached("before delivery")
        try:
            self._channel.send_message(fill(_channel(grant).conversation(), reply), _idempotency_key(grant))
        except CaptivateError as error:
            failure = error
        crash_points.reached("after delivery")
        now = grant.now + int((time.monotonic() - started_at) * 1000)
        decision = of_delivery(grant.head, reply, failure, now, self._rules[grant.conversation.persona], self._jitter)
        if isinstance(decision, Wait):
            return self._hold(lease, decision)
        delivered = failure is None and bool(reply.bubbles or reply.photo_url)
        return self._end(lease, decision, delivered=delivered)

    def _end(self, lease: Lease, end: End, *, delivered: bool = False) -> str:
        grant = lease.grant
        follow_up = None
        if delivered and end.fate == "answered":
            cadence = self._cadences[grant.conversation.persona]
            follow_up = next_follow_up(grant.head.kind, grant.plan_step, cadence)
        crash_points.reached("before settle")
        settled = self._surely(
            lambda: self._store.leases.settle(grant, end.fate, end.reason, end.mark, end.detail, follow_up)
        )
        crash_points.reached("after settle")
        if settled.status == "lost":
            return LEFT
        if end.fate == "dead":
            _log.error("dead letter: %s", end.reason, extra={"conversation": grant.conversation.name})
        joined = f", joined {len(grant.entries) - 1}" if len(grant.entries) > 1 else ""
        return (f"{end.fate}: {end.reason}" if end.reason else end.fate) + joined

    def _hold(self, lease: Lease, wait: Wait) -> str:
        grant = lease.grant
        crash_points.reached("before hold")
        held = self._surely(
            lambda: self._store.leases.hold(grant, wait.seconds, wait.reason, unknown=wait.unknown, asked=wait.asked)
        )
        crash_points.reached("after hold")
        return LEFT if held == "lost" else f"held for {wait.seconds:.1f} s: {wait.reason}"

    def _surely(self, call: Callable[[], Result]) -> Result:
        # The upstream has acted: its result must not be lost because the store is away for a moment.
        return patiently(call, again_on=StoreError, seconds=self._store_wait_seconds)


def _channel(grant: Grant) -> ChannelContext:
    for entry in reversed(grant.entries):
        channel = events.parse_json(entry.payload).channel
        if channel:
            return channel
    # Accepted without a channel of its own, so the conversation had one; accept makes sure of that.
    return ChannelContext.model_validate_json(grant.channel or "")


def _idempotency_key(grant: Grant) -> str:
    return hashlib.sha256(f"{grant.conversation.name} {grant.head.event_id}".encode()).hexdigest()[:32]


def _not_now(answer: NotNow) -> str:
    if not answer.until:
        return "nothing to do"
    until = datetime.fromtimestamp(answer.until / 1000, UTC).strftime("%H:%M:%S")
    return f"{answer.status} until {until} UTC" + (f": {answer.reason}" if answer.reason else "")
