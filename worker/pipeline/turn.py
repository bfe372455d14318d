"""One turn from its lease on: ask, record, deliver, settle. This module keeps the order of the steps. What each outcome
means is decided in ``worker.domain.decisions``, what is stored in ``worker.store``.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal, TypeVar

from config.settings import Settings
from worker.domain.cadence import Planned, after_delivery, after_skip, policy_of
from worker.domain.decisions import (
    Ask,
    Deliver,
    End,
    Rules,
    Wait,
    answer_of,
    before_asking,
    before_sending,
    of_delivery,
    of_poison,
    of_reply,
    withheld,
    without_a_call,
    without_content,
)
from worker.domain.failures import CallFailed, KeyRefused, OutcomeUnknown, Unavailable
from worker.domain.pacing import paced
from worker.domain.quiet_hours import zone_unreadable
from worker.domain.reply import Reply
from worker.domain.retry import UNTRIED, Tries, tries
from worker.domain.suspicion import is_suspect, lost_in_trials
from worker.domain.unreadable import Unreadable
from worker.domain.vocabulary import Cause, rules_of, stored
from worker.domain.written import reply_in
from worker.observability import metrics
from worker.pipeline import failpoints
from worker.pipeline.ask import Asking, LeaseLost
from worker.pipeline.channel import Channel
from worker.pipeline.consent import Consents
from worker.pipeline.idempotency_keys import idempotency_key
from worker.pipeline.lead_frequency import Frequency
from worker.pipeline.moments import Moments
from worker.pipeline.openers import Openers
from worker.pipeline.reach import Reach, if_possible
from worker.pipeline.readable import channel_of, unreadable, without_reading
from worker.pipeline.short_retries import patiently
from worker.pipeline.stumbles import of_stumble, place_of
from worker.pipeline.trials import Trials, of_trial
from worker.pipeline.turn_result import LEFT, TurnResult
from worker.store import Store, StoreError
from worker.store.conversations.journal import Entry
from worker.store.conversations.leases import Lease
from worker.store.conversations.turn_steps import Grant

_log = logging.getLogger("parley.turn")

Result = TypeVar("Result")


class Turn:
    """The steps of a turn. One for all turns of a process, any number at once: what is of one turn is in its lease.

    ``trials``: None in the process that tries a suspect. ``jitter``: spreads pauses; None: by chance.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        asking: Asking,
        channel: Channel,
        reach: Reach,
        consents: Consents,
        trials: Trials | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        self._store = store
        self._asking = asking
        self._channel = channel
        self._reach = reach
        self._consents = consents
        self._trials = trials
        self._rules = {
            name: Rules(persona, settings.retry, settings.validity) for name, persona in settings.personas.items()
        }
        self._policies = {name: policy_of(settings, name) for name in settings.personas}
        self._pacings = {name: settings.pacing_of(name) for name in settings.personas}
        self._store_wait_seconds = settings.worker.store_wait_seconds
        self._openers = Openers(store)
        self._frequency = Frequency(store)
        self._jitter = jitter or random.Random()
        self._moments = Moments(store, self._policies, self._jitter)

    def proceed(self, lease: Lease) -> TurnResult:
        """Go through the steps, from where an earlier turn left off.

        Raises ``StoreError`` when the store is unreachable for too long: a later turn continues from what was stored.
        """
        if self._trials and is_suspect(lease.grant.head):
            # Before anything reads what it says.
            return self._judge(lease, self._trials)
        return self._proceed(lease)

    def _proceed(self, lease: Lease) -> TurnResult:
        grant, head = lease.grant, lease.grant.head
        rules = self._rules[grant.conversation.persona]
        if unasked := self._consents.instead(grant):
            return self._carry_out(lease, unasked, UNTRIED)
        if reason := unreadable(grant):
            codes = {"cause": reason.cause, "detail": reason.detail}
            _log.error("turn held: %s", reason.cause, extra={"conversation": grant.conversation.name, **codes})
            return self._carry_out(lease, without_reading(grant, reason, self._jitter), UNTRIED)
        made = self._tries(grant)
        if head.reply is not None:
            return self._resume(lease, head.reply, made)
        known = self._moments.known(grant, made)
        step = before_asking(head, known, rules)
        valid_seconds = rules.validity.ai_opener_seconds - known.waited_seconds
        if not isinstance(step, Ask):
            return self._carry_out(lease, step, made)
        instead = self._frequency.not_now(grant, rules, known.waited_seconds)
        try:
            decision = instead or self._openers.not_now(grant, valid_seconds) or self._ask(lease, rules, step, made)
        except LeaseLost:
            return self._leave_uncalled(lease)
        if isinstance(decision, Wait):
            if_possible(partial(self._frequency.not_sent, grant))
        return self._carry_out(lease, decision, made)

    def _resume(self, lease: Lease, stored_reply: str, made: Tries) -> TurnResult:
        grant, head = lease.grant, lease.grant.head
        if grant.interrupted:
            return self._end(lease, withheld(head, Reply.of_json(stored_reply), Cause.INTERRUPTED), delivered=True)
        resume = before_sending(head, made, self._rules[grant.conversation.persona])
        if isinstance(resume, End):
            return self._end(lease, resume)
        reply = Reply.of_json(stored_reply)
        if too_many := self._frequency.withheld(grant, reply):
            return self._end(lease, too_many)
        return self._deliver(lease, head, reply, made)

    def _judge(self, lease: Lease, trials: Trials) -> TurnResult:
        grant, head, rules = lease.grant, lease.grant.head, self._rules[lease.grant.conversation.persona]
        if decision := self._without_trial(grant, rules) or of_poison(head, rules):
            return self._carry_out(lease, decision, UNTRIED)
        if grant.vanished and lost_in_trials(head):
            _log.error(
                "worker vanished while it tried a suspect alone", extra={"conversation": grant.conversation.name}
            )
            return self._hold(lease, of_trial(head, "worker lost", self._jitter))
        # The child gives it back.
        lease.ends = True
        verdict = trials.run(grant)
        if isinstance(verdict, TurnResult):
            _count(grant, verdict)
            return verdict
        if verdict == "stopped":
            return LEFT
        if verdict == "killed":
            killed = self._surely("hold", lambda: self._store.suspects.killed(grant))
            _log.error(
                "suspect killed the process that tried it alone", extra={"conversation": grant.conversation.name}
            )
            if not killed:
                return LEFT
            head = head._replace(killed_alone=killed)
        return self._hold(lease, of_trial(head, verdict, self._jitter))

    def _without_trial(self, grant: Grant, rules: Rules) -> End | None:
        # What is not asked any more needs neither a place in line nor a child process.
        if grant.head.reply is not None:
            return None
        if unwanted := grant.unwanted or self._consents.of_lead(grant):
            return self._consents.unwanted(grant, unwanted)
        return without_a_call(grant.head, self._moments.known_unread(grant), rules)

    def stop(self) -> None:
        """The process ends now: what is tried alone ends, too."""
        if self._trials:
            self._trials.stop()

    def _ask(self, lease: Lease, rules: Rules, step: Ask, made: Tries) -> Deliver | End | Wait:
        if written := reply_in(lease.grant.events[-1]):
            return Deliver(written)
        with metrics.asking(lease.grant.conversation.persona):
            return self._asking.ask(lease, rules, step, made)

    def _tries(self, grant: Grant) -> Tries:
        head = grant.head
        if head.failed is None:
            return Tries(head.failures, head.failures_ms)
        replied = head.reply is not None
        owner = self._reach.channel if replied else self._reach.persona(grant.conversation.persona)
        return tries(head, self._reach.last_success(owner))

    def _leave_uncalled(self, lease: Lease) -> TurnResult:
        # Nothing was asked or sent: note that while this turn still has the lease in the store.
        if self._hold(lease, Wait(0.0, Cause.NOT_ASKED, asked=False)) == LEFT:
            if_possible(partial(self._store.steps.not_called, lease.grant))
        return LEFT

    def _carry_out(self, lease: Lease, decision: Deliver | End | Wait, made: Tries) -> TurnResult:
        if isinstance(decision, Deliver):
            return self._record(lease, decision.reply)
        if isinstance(decision, End):
            return self._end(lease, decision)
        return self._hold(lease, decision, judged=made.judged)

    def _record(self, lease: Lease, reply: Reply) -> TurnResult:
        asked_at = time.monotonic()
        reply = paced(reply, self._pacings[lease.grant.conversation.persona], self._jitter)
        text = reply.to_json()
        farewell, seals = reply.fate == "dead", reply.fate == "sealed"
        recorded = self._surely(
            "record", lambda: self._store.steps.record(lease.grant, text, farewell=farewell, seals=seals)
        )
        failpoints.reached("after record")
        if recorded.status == "taken_over":
            return self._keep(lease, Cause.TAKEN_OVER)
        if recorded.status == "closed":
            return self._keep(lease, Cause.CHANNEL_CLOSED)
        if recorded.status in ("opted_out", "not_opted_in"):
            return self._end(lease, self._consents.unwanted(lease.grant, Cause(recorded.status), recorded.reply))
        if recorded.status != "holder":
            return LEFT
        lease.renewed(asked_at)
        lease.called = False
        try:
            first = reply if recorded.reply == text or recorded.undecryptable else Reply.of_json(recorded.reply)
            reason = recorded.undecryptable
        except Unreadable as error:
            reason = error.reason
        if reason:
            return self._carry_out(lease, without_content(reason, False, self._jitter), UNTRIED)
        head = lease.grant.head
        # `record` has counted this send, after the head was read.
        return self._deliver(lease, head._replace(sends=head.sends + 1, reply_id=recorded.reply_id), first, UNTRIED)

    def _keep(self, lease: Lease, cause: Cause) -> TurnResult:
        if_possible(partial(self._frequency.keep, lease.grant))
        held = self._hold(lease, Wait(0.0, cause, asked=False))
        return LEFT if held == LEFT else TurnResult("kept", cause)

    def _deliver(self, lease: Lease, head: Entry, reply: Reply, made: Tries) -> TurnResult:
        if not lease.held():
            return self._leave_uncalled(lease)
        grant = lease.grant
        if unwanted := self._consents.of_lead(grant):
            return self._end(lease, self._consents.unwanted(grant, unwanted, reply.to_json()))
        rules = self._rules[grant.conversation.persona]
        if closed := self._moments.closed_for_sending(lease, reply):
            return self._end(lease, withheld(head, reply, *closed), delivered=head.bubbles_sent > 0)
        if grant.probe == "channel" and rules.persona.unknown.delivery == "hold" and not self._channel.reachable():
            # A delivery that must not be repeated is not used to try the channel.
            return self._hold(lease, Wait(rules.retry.pause_seconds, Cause.CHANNEL_CLOSED, asked=False))
        failure = self._send(lease, head, reply)
        decision = of_delivery(head, reply, failure, made, rules, self._jitter)
        if isinstance(decision, Wait):
            if_possible(partial(self._frequency.keep, grant))
            return self._hold(lease, decision, judged=made.judged)
        delivered = failure is None and bool(reply.bubbles or reply.photo_url)
        return self._end(lease, decision, delivered=delivered, whole=delivered)

    def _send(self, lease: Lease, head: Entry, reply: Reply) -> CallFailed | None:
        grant, channel = lease.grant, self._reach.channel
        begun_at = time.monotonic()
        failpoints.reached("before delivery", head.event_id)
        try:
            message = self._channel.message_of(channel_of(grant), reply, head.bubbles_sent)
            lease.called = True
            with metrics.delivering():
                self._channel.send(message, idempotency_key(grant, head, reply))
        except CallFailed as error:
            if isinstance(error, OutcomeUnknown):
                metrics.unknown(grant.conversation.persona, "delivery")
            if isinstance(error, OutcomeUnknown | Unavailable | KeyRefused):
                self._reach.failed(channel, grant.conversation, begun_at, answer_of(error))
            elif error.status:
                self._reach.answered(channel, grant.probe)
            return error
        finally:
            failpoints.reached("after delivery")
        self._reach.answered(channel, grant.probe)
        self._reach.succeeded(channel, lease.now())
        return None

    def _end(self, lease: Lease, end: End, *, delivered: bool = False, whole: bool = False) -> TurnResult:
        grant = lease.grant
        end = self._consents.of_confirmation(grant.head, end)
        follow_up = _beside(lambda: self._follow_up(lease, end, delivered))
        _beside(
            lambda: patiently(
                lambda: self._count(grant, end, delivered), again_on=StoreError, seconds=self._store_wait_seconds
            )
        )
        sent = None if whole else grant.head.bubbles_sent
        failpoints.reached("before settle")
        lease.ends = True
        reason, words = stored(end.cause, end.detail), self._asking.echo_of(grant, end.fate)
        settled = self._surely(
            "settle",
            lambda: self._store.steps.settle(grant, end.fate, reason, end.mark, end.quote, follow_up, words, sent),
        )
        failpoints.reached("after settle")
        if settled.status == "lost":
            return LEFT
        result = TurnResult(end.fate, end.cause, end.detail, joined=len(grant.entries) - 1)
        _count(grant, result)
        if end.fate == "dead":
            _log.error("dead letter: %s", end.cause, extra={"conversation": grant.conversation.name, **result.codes})
        return result

    def _count(self, grant: Grant, end: End, delivered: bool) -> None:
        self._openers.ended(grant, end)
        self._frequency.ended(grant, end, delivered=delivered)

    def _follow_up(self, lease: Lease, end: End, delivered: bool) -> Planned | Literal["drop"] | None:
        grant, kind = lease.grant, lease.grant.head.kind
        policy = self._policies[grant.conversation.persona]
        if zone_unreadable(policy.quiet_hours, grant.channel):
            metrics.zone_unreadable(grant.conversation.persona)
        if delivered and end.fate == "answered" and not rules_of(kind).by_operator:
            return after_delivery(policy, grant.touch, kind, lease.now())
        if kind != "follow_up" or not end.follow_up:
            return None
        return "drop" if end.follow_up == "dropped" else after_skip(policy, grant.touch, lease.now())

    def _hold(self, lease: Lease, wait: Wait, *, judged: bool = False) -> TurnResult:
        grant, reason = lease.grant, stored(wait.cause, wait.detail)
        failpoints.reached("before hold")
        lease.ends = True
        held = self._surely(
            "hold",
            lambda: self._store.steps.hold(
                grant,
                wait.seconds,
                reason,
                unknown=wait.unknown,
                asked=wait.asked,
                bubbles_sent=wait.bubbles_sent,
                failed=wait.failed,
                judged=judged,
            ),
        )
        failpoints.reached("after hold")
        if held == "lost":
            return LEFT
        if wait.cause is Cause.IN_LINE:
            if_possible(partial(self._store.places.take_if_kept, grant.conversation))
        result = TurnResult("held", wait.cause, wait.detail, wait.seconds)
        _count(grant, result)
        return result

    def stumble(self, lease: Lease, error: Exception) -> TurnResult:
        """End a turn that a fault of ours has broken off: its events are held, and die at their last try."""
        grant, place = lease.grant, place_of(error)
        _log.error("turn ended by an internal error: %s", place, extra={"conversation": grant.conversation.name})
        called, steps, books = lease.called, self._store.steps, self._store.books
        stumbled = self._surely(
            "hold", lambda: steps.stumble(grant, called=called, answered=books.answered(grant.conversation.persona))
        )
        if stumbled is None:
            return LEFT
        rules = self._rules[grant.conversation.persona]
        decision = of_stumble(grant.head, place, stumbled, lease.now(), called, rules, self._jitter)
        if not isinstance(decision, Deliver):
            return self._carry_out(lease, decision, UNTRIED)
        try:
            return self._record(lease, decision.reply)
        except StoreError:
            raise
        except Exception as another:
            _log.error("farewell not sent: %s", place_of(another), extra={"conversation": grant.conversation.name})
            return self._end(lease, replace(of_reply(decision.reply), mark="", quote=""))

    def _surely(self, step: metrics.StoreStep, call: Callable[[], Result]) -> Result:
        # The upstream has acted: its result must not be lost because the store is unreachable for a moment.
        with metrics.storing(step):
            return patiently(call, again_on=StoreError, seconds=self._store_wait_seconds)


def _count(grant: Grant, result: TurnResult) -> None:
    persona, cause, events = grant.conversation.persona, result.cause or Cause.OTHER, len(grant.entries)
    match result.outcome:
        case "skipped":
            metrics.skipped(persona, cause, events)
        case "dead":
            metrics.died(persona, cause, events)
        case "held":
            metrics.held(persona, cause)


def _beside(call: Callable[[], Result]) -> Result | None:
    # What is noted beside the end of an event must not undo that end: the answer is delivered.
    try:
        return call()
    except StoreError:
        raise
    except Exception as error:
        _log.error("not noted beside the end of an event: %s", place_of(error))
        return None
