"""Runs turns in the threads of a process: a doorbell takes a slot and a lease, and its turn leads to a result.

Which steps a turn has is decided in ``worker.pipeline.turn``.
"""

from __future__ import annotations

import logging
import time
from collections import deque

from config.settings import Settings
from worker.domain.conversation import Conversation
from worker.domain.handles import Handles
from worker.domain.vocabulary import TURNS, Lane
from worker.observability import metrics, tracing
from worker.pipeline import failpoints
from worker.pipeline.slots import Slots
from worker.pipeline.told import State, Told, state_of_all
from worker.pipeline.turn import Turn
from worker.pipeline.turn_result import LEFT, TurnResult, not_now
from worker.store import Store, StoreError
from worker.store.conversations.leases import LeaseKeeper
from worker.store.conversations.process_leases import ProcessLeases
from worker.store.conversations.turn_steps import Grant, NotNow
from worker.store.queues.identities import new_name
from worker.store.redis.layout import WrongLayout
from worker.store.redis.troubles import Saying, trouble_of

_log = logging.getLogger("parley.turn")


class DeadLetter(Exception):
    """A turn ended in a dead letter, and Flower shows it as failed. The turn is complete: there is nothing to retry."""


class Turns:
    """Runs turns, any number at once.

    A turn never raises because of an upstream or because the store is unreachable. It keeps a result for
    ``worker.store_wait_seconds``; after that its lease runs out, and another turn continues from the journal.
    """

    def __init__(
        self, settings: Settings, store: Store, process: ProcessLeases, keeper: LeaseKeeper, turn: Turn
    ) -> None:
        self._store = store
        self._process = process
        self._keeper = keeper
        self._turn = turn
        self._personas = frozenset(settings.personas)
        self._handles = Handles(settings.privacy)
        self._slots = Slots(settings.worker.concurrency, len(settings.personas), settings.worker.outreach_share)
        self._saying = Saying()

    def run(self, persona: str, target: str, lane: Lane = TURNS) -> Told:
        """Run one turn of a conversation if it may run now. Returns its result as one phrase without content.

        When the persona has its share of this process's slots, the doorbell waits and the thread is free again. A
        thread whose turn has ended continues with waiting doorbells, leads first. ``lane``: the queue of the doorbell.
        Raises ``DeadLetter`` with the same phrase, at the end, when an event became a dead letter.
        """
        if persona not in self._personas:
            self._store.unconfigured.met(persona)
            return Told(f"refused: persona {persona} is not configured", State.RETRIED)
        own = Conversation(persona, target)
        # A busy persona keeps this thread for hours: only the last turns are worth showing.
        phrases: deque[Told] = deque(maxlen=3)
        failed = False
        following = self._slots.enter(own, lane)
        self._give_back(self._slots.left_out())
        while following:
            conversation = following[0]
            try:
                self._store.layout.ensure()
                phrase = self._run(conversation)
                failed = failed or phrase.state is State.FAILED
            except WrongLayout as error:
                _log.error("turn refused: %s", error, extra={"persona": persona})
                phrase = Told("refused: the store was made with another number of shards", State.RETRIED)
            except StoreError as error:
                # The doorbell is used up, but beat has another one sent. The next turn continues from what was stored.
                trouble = trouble_of(error)
                if self._saying.now(trouble):
                    _log.warning("turns left: store %s", trouble.told("what waits keeps its place"))
                phrase = Told(f"left: store {trouble.means}", State.RETRIED)
            except BaseException:
                self._slots.leave(following, serve=False)
                raise
            shown = phrase if conversation == own else f"{self._handles.shown(conversation.name)} {phrase}"
            phrases.append(Told(shown, phrase.state))
            following = self._slots.leave(following)
        if not phrases:
            return Told("waits: the persona has its share of the slots", State.RETRIED)
        told = "; ".join(phrases)
        if failed:
            raise DeadLetter(told)
        return Told(told, state_of_all(phrases))

    def stop(self) -> None:
        """The process is about to stop: running turns finish, and no further one begins in their threads."""
        self._slots.close()

    def hand_over(self) -> None:
        """The process ends now, while turns run. Gives their leases back, so that other workers continue them at once.

        When the store is unreachable, other workers continue after the leases have run out.
        """
        leases = self._keeper.let_go()
        self._turn.stop()
        try:
            handed_over = self._store.steps.hand_over([lease.grant for lease in leases])
            for lease in leases:
                if lease.has_place:
                    self._store.places.release(lease.grant.conversation, lease.grant.token)
        except StoreError as error:
            _log.warning("turns left to their leases: store unreachable (%s)", type(error).__name__)
        else:
            _log.warning("turns handed over in the middle: %d", handed_over)

    def _give_back(self, left_out: list[Conversation]) -> None:
        # At once, so that it keeps its place: lost doorbells are sent again at growing intervals only.
        try:
            for conversation in left_out:
                self._store.agenda.give_back(conversation)
        except StoreError as error:
            _log.warning(
                "store unreachable (%s): a doorbell that found no slot will be sent again from the agenda",
                type(error).__name__,
            )

    def _run(self, conversation: Conversation) -> Told:
        with self._process.turn_in(self._store.keys.of(conversation)):
            return self._run_here(conversation)

    def _run_here(self, conversation: Conversation) -> Told:
        asked_at = time.monotonic()
        with metrics.storing("begin"):
            granted = self._begin(conversation, f"{self._process.name}-{new_name()}")
        metrics.doorbell("granted" if isinstance(granted, Grant) else granted.status)
        if isinstance(granted, NotNow):
            return not_now(granted)
        self._saying.over()
        failpoints.reached("after begin")
        waited_seconds = max(0, granted.now - granted.head.accepted_at) / 1000
        counting = metrics.Turn(conversation.persona, granted.head.kind, waited_seconds)
        payloads = [entry.payload for entry in granted.entries]
        span = tracing.turn(payloads, persona=conversation.persona, kind=granted.head.kind)
        with self._keeper.keep(granted, asked_at) as lease, counting as counted:
            try:
                with span as told:
                    result = self._turn.proceed(lease)
                    counted.ended(result.outcome)
                    told.tell(outcome=counted.outcome, events=len(payloads))
            except StoreError:
                raise
            except Exception as error:
                result = self._turn.stumble(lease, error)
                counted.ended(result.outcome)
        seconds = time.monotonic() - asked_at
        known = {"conversation": conversation.name, "kind": granted.head.kind, "seconds": round(seconds, 3)}
        _log.info("turn: %s", result.outcome, extra=known | result.codes if result.cause else known)
        return Told(f"{result.phrase}, {seconds:.1f} s", result.state)

    def run_alone(self, conversation: Conversation, token: str) -> TurnResult:
        """Run a turn that another process has begun under this token, and whose lease it holds."""
        asked_at = time.monotonic()
        granted = self._store.steps.begin(conversation, token)
        if isinstance(granted, NotNow):
            return LEFT
        with self._keeper.keep(granted, asked_at) as lease:
            try:
                return self._turn.proceed(lease)
            except StoreError:
                raise
            except Exception as error:
                return self._turn.stumble(lease, error)

    def _begin(self, conversation: Conversation, token: str) -> Grant | NotNow:
        answer = self._store.steps.begin(conversation, token)
        if isinstance(answer, NotNow) and answer.status == "hand_back":
            self._store.takeovers.hand_back_quiet(conversation)
            answer = self._store.steps.begin(conversation, token)
        return answer
