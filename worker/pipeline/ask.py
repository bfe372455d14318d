"""Asks the persona once for a group of events: the image first, then the call."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from config.sections import Retry
from worker.adapters.images import FetchedImage
from worker.adapters.persona import AsksPersona
from worker.domain.decisions import (
    Ask,
    Deliver,
    End,
    Rules,
    Wait,
    answer_of,
    image_given_up,
    of_answer,
    of_ask_failure,
    of_image_failure,
    status_of,
)
from worker.domain.event_parts import LeftOut, told
from worker.domain.events import FollowUp, InboundChat, MoneyEvent, OperatorMessage, PulledFollowUp, StoredEvent
from worker.domain.failures import (
    CallFailed,
    ImageUnavailable,
    NoConversation,
    OutcomeUnknown,
    Rejected,
    Sealed,
    Unavailable,
)
from worker.domain.retry import Tries
from worker.domain.vocabulary import Cause, Fate, Gate, rules_of, stored
from worker.observability import metrics
from worker.pipeline import failpoints
from worker.pipeline.consent import Consents
from worker.pipeline.reach import Reach, if_possible
from worker.pipeline.short_retries import quickly
from worker.store import Store
from worker.store.conversations.leases import Lease
from worker.store.conversations.turn_steps import Grant

_log = logging.getLogger("parley.ask")

# It is woken when a place is free. After this time it asks for a place again in any case.
_IN_LINE_SECONDS = 3600.0


class LeaseLost(Exception):
    """Another turn may have taken over: start no further call."""


class FetchesImages(Protocol):
    """``worker.adapters.images.ImageFetcher``."""

    def fetch(self, url: str) -> FetchedImage: ...


class Asking:
    """The asking half of a turn. Shared by all turns of a process. ``jitter``: as a ``Turn`` has it."""

    def __init__(
        self,
        retry: Retry,
        store: Store,
        personas: Mapping[str, AsksPersona],
        images: FetchesImages,
        reach: Reach,
        consents: Consents,
        jitter: random.Random | None = None,
    ) -> None:
        self._store = store
        self._personas = personas
        self._images = images
        self._reach = reach
        self._quick_tries = retry.quick_tries
        self._quick_pause_seconds = retry.quick_pause_seconds
        self._jitter = jitter or random.Random()
        self._consents = consents

    def ask(self, lease: Lease, rules: Rules, step: Ask, tries: Tries) -> Deliver | End | Wait:
        """Make the persona call of one turn and say what follows.

        ``step``: how to ask. ``tries``: the failed calls before it that count against the head.
        Raises ``LeaseLost`` when the lease is lost before the call, ``StoreError`` when the store is unreachable before
        it: in both cases nothing was asked.
        """
        image = self._fetched(lease, rules, step, tries)
        if isinstance(image, End | Wait | Deliver):
            return image
        if not self._store.places.bounded(lease.grant.conversation.persona):
            return self._with_key(lease, rules, step, image, tries)
        with self._place(lease) as wait:
            return wait or self._with_key(lease, rules, step, image, tries)

    def _with_key(
        self, lease: Lease, rules: Rules, step: Ask, image: str | FetchedImage | None, tries: Tries
    ) -> Deliver | End | Wait:
        hosted = self._hosted(lease, rules, image, tries) if isinstance(image, FetchedImage) else image
        if isinstance(hosted, End | Wait | Deliver):
            return hosted
        return self._harmless_first(lease, rules) or self._called(lease, rules, step, hosted, tries)

    @contextmanager
    def _place(self, lease: Lease) -> Iterator[Wait | None]:
        conversation, token, places = lease.grant.conversation, lease.grant.token, self._store.places
        admission = places.admit(conversation, token, lease.grant.head.accepted_at)
        if admission.in_line:
            yield Wait(_IN_LINE_SECONDS, Cause.IN_LINE, asked=False)
            return
        if admission.wait_seconds:
            yield Wait(admission.wait_seconds, Cause.OWN_LIMIT, asked=False)
            return
        lease.has_place = True
        try:
            yield None
        finally:
            lease.has_place = False
            if_possible(partial(places.release, conversation, token))

    def _called(
        self, lease: Lease, rules: Rules, step: Ask, image_url: str | None, tries: Tries
    ) -> Deliver | End | Wait:
        grant = lease.grant
        persona = grant.conversation.persona
        step_taken = self._store.steps.asking(grant) if grant.head.step == "begun" else "asking"
        if step_taken == "lost":
            raise LeaseLost
        if step_taken != "asking":
            return self._consents.unwanted(grant, Cause(step_taken))
        if unwanted := self._consents.of_lead(grant):
            return self._consents.unwanted(grant, unwanted)
        if not lease.may_call():
            raise LeaseLost
        failpoints.reached("before ask", grant.head.event_id)
        begun_at = time.monotonic()
        try:
            answer = quickly(
                lambda: self._personas[persona].ask(grant.events, image_url),
                again_on=lambda error: isinstance(error, Unavailable) and error.status == 0,
                tries=self._quick_tries,
                pause_seconds=self._quick_pause_seconds,
            )
        except CallFailed as failure:
            if isinstance(failure, OutcomeUnknown):
                metrics.unknown(persona, grant.head.kind)
            self._learn(lease, failure, begun_at)
            decision = of_ask_failure(grant.head, failure, tries, rules, self._jitter)
            self._close_gate(lease, decision)
            return decision
        failpoints.reached("after ask")
        self._learn(lease, None, begun_at)
        if answer.left_out:
            _log.warning(
                "left out of an answer: %s", told(answer.left_out), extra={"conversation": grant.conversation.name}
            )
            self._left_out(lease, answer.left_out)
        # The lead may have written the same as before: then a repeat says nothing about the call in doubt.
        honest = (
            answer.repeated and grant.last_words and grant.last_words == self._personas[persona].echo_of(grant.events)
        )
        second = step.second and not honest
        return of_answer(grant.head.kind, answer, second=second, lost=rules.persona.on_text_lost)

    def echo_of(self, grant: Grant, fate: Fate) -> str:
        """What the lead's words are recognised by, after an answer to them; '' where it is not needed."""
        if fate != "answered" or grant.undecryptable or grant.head.kind != "inbound_chat":
            return ""
        return self._personas[grant.conversation.persona].echo_of(grant.events)

    def _left_out(self, lease: Lease, left_out: Sequence[LeftOut]) -> None:
        if left_out:
            if_possible(partial(self._store.steps.left_out, lease.grant, told(left_out)))

    def _learn(self, lease: Lease, failure: CallFailed | None, begun_at: float) -> None:
        grant, owner = lease.grant, self._reach.persona(lease.grant.conversation.persona)
        if isinstance(failure, Unavailable | OutcomeUnknown):
            self._reach.failed(owner, grant.conversation, begun_at, answer_of(failure))
            return
        self._reach.answered(owner, grant.probe)
        if failure is None or isinstance(failure, Sealed | NoConversation | Rejected):
            self._reach.succeeded(owner, lease.now())
        if failure is None and grant.probe == "credits" and not rules_of(grant.head.kind).only_told:
            self._reach.open(owner, Gate.CREDITS)

    def _close_gate(self, lease: Lease, decision: Deliver | End | Wait) -> None:
        if isinstance(decision, Wait) and decision.gate:
            if_possible(partial(self._close, lease, decision.gate, decision))

    def _close(self, lease: Lease, gate: Gate, wait: Wait) -> None:
        grant = lease.grant
        persona, personas = grant.conversation.persona, self._store.personas
        ids = {"persona": persona, "cause": wait.cause.value, "detail": wait.detail}
        reason = stored(wait.cause, wait.detail)
        match gate:
            case Gate.QUARANTINED:
                _log.error("persona quarantined: its key is refused. Correct the key, then resume.", extra=ids)
                personas.quarantine(persona, reason)
            case Gate.HOLD:
                _log.warning("persona held for %.1f s", wait.gate_seconds, extra=ids)
                personas.hold(persona, wait.gate_seconds, reason)
            case _:  # No decision about a call closes another gate than that of the credits.
                failed_by = grant.token if grant.probe == "credits" else ""
                if personas.close_for_probing(persona, Gate.CREDITS, reason, failed_by):
                    _log.error("persona out of credits: conversations that would start wait", extra=ids)

    def _harmless_first(self, lease: Lease, rules: Rules) -> Wait | None:
        # Only events that must not be asked twice wait for the circuit. A call without consequences shows first whether
        # the persona can be reached.
        grant = lease.grant
        if grant.probe != "circuit" or rules.may_repeat(grant.head.kind):
            return None
        try:
            self._personas[grant.conversation.persona].try_out()
        except (Unavailable, OutcomeUnknown) as failure:
            return Wait(rules.retry.pause_seconds, Cause.PERSONA_UNAVAILABLE, status_of(failure), asked=False)
        except CallFailed:
            pass
        return None

    def _fetched(
        self, lease: Lease, rules: Rules, step: Ask, tries: Tries
    ) -> str | FetchedImage | Deliver | End | Wait | None:
        group = lease.grant.events
        last, entry = group[-1], lease.grant.entries[-1]
        if isinstance(last, FollowUp | MoneyEvent | PulledFollowUp | OperatorMessage):
            return None
        if not isinstance(last, InboundChat) or not last.attachments:
            return last.image_url
        if entry.image_url:
            return entry.image_url
        if step.without_image:
            self._left_out(lease, [LeftOut("image", "it could not be hosted in all its tries")])
            return image_given_up(_has_text(group), rules)
        try:
            return self._images.fetch(last.attachments[0].url)
        except ImageUnavailable as failure:
            return self._without_image(lease, rules, failure, tries)

    def _hosted(
        self, lease: Lease, rules: Rules, image: FetchedImage, tries: Tries
    ) -> str | Deliver | End | Wait | None:
        grant, last = lease.grant, lease.grant.events[-1]
        if not lease.held():
            raise LeaseLost
        attachment = last.attachments[0] if isinstance(last, InboundChat) else None
        filename = image.named(attachment.filename if attachment else None)
        begun_at = time.monotonic()
        try:
            image_url = self._personas[grant.conversation.persona].host(last.target, image.data, filename)
        except CallFailed as failure:
            if isinstance(failure, OutcomeUnknown):
                metrics.unknown(grant.conversation.persona, "image")
            self._learn(lease, failure, begun_at)
            decision = self._without_image(lease, rules, failure, tries)
            if decision is not None:
                self._close_gate(lease, decision)
            return decision
        if_possible(partial(self._store.steps.keep_image, grant, grant.entries[-1].event_id, image_url))
        failpoints.reached("after hosting an image")
        return image_url

    def _without_image(
        self, lease: Lease, rules: Rules, failure: ImageUnavailable | CallFailed, tries: Tries
    ) -> Deliver | End | Wait | None:
        grant = lease.grant
        decision = of_image_failure(grant.head, failure, _has_text(grant.events), tries, rules, self._jitter)
        if decision is None:
            _log.warning("image left out: %s", failure, extra={"conversation": grant.conversation.name})
            self._left_out(lease, [LeftOut("image", str(failure))])
        return decision


def _has_text(group: tuple[StoredEvent, ...]) -> bool:
    return any(isinstance(event, InboundChat) and event.words for event in group)
