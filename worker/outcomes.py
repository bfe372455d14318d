"""What each answer and each failure means: pure decisions, no I/O. The two tables of docs/architecture.md, row by row.

A decision is one of:

    Ask       call the persona (``second``: an earlier call may have been acted on)
    Send      deliver the stored reply (``resent``: an earlier send may have arrived)
    Deliver   store this reply, then send it
    End       the events of the turn have their fate
    Wait      leave the head in place; ``gate`` closes for the whole persona
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Literal, Protocol

from config.settings import Persona, Retry, Validity
from worker import captivate, fluidtalk
from worker.fluidtalk import ActionResult, ChatResult
from worker.images import ImageError
from worker.reply import Reply, farewell

# An event whose holder vanished so often is taken to be the cause: poison. Holders whose process was told to end do not
# count, but within the retry budget: a supervisor that ends what does not answer any more may be seeing poison.
VANISHED_LIMIT = 3

# How long an event waits whose content this process cannot read; another process may have the key.
_UNDECRYPTABLE_SECONDS = 60.0

OWNED_ELSEWHERE = "the lead belongs to another account of the persona"
UNCONFIRMED = "delivery unconfirmed: it may have arrived"
NO_ANSWER = "connection lost or timed out"
LEAD_WROTE = "the lead wrote in the meantime"
QUIET_HOURS = "quiet hours"
REFUSED_BY_CHANNEL = "delivery refused by the channel"

Gate = Literal["", "hold", "circuit", "credits", "quarantined"]
Fate = Literal["answered", "ignored", "sealed", "skipped", "dead"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Call the persona. ``second``: the call before this one may have been acted on."""

    second: bool


@dataclass(frozen=True, slots=True)
class Send:
    """Deliver the stored reply. ``resent``: it may have arrived before."""

    resent: bool


@dataclass(frozen=True, slots=True)
class Deliver:
    """Store this reply first, then send it."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class End:
    """The events of the turn have their fate; ``mark`` is what was learned about the conversation.

    ``reason`` is one line without content, for logs and timelines. ``detail`` is what the server said, for the journal
    of a dead letter only: it may quote content. ``follow_up``: for a follow-up that was not sent, whether the cadence
    goes on with its ``next_step`` or is ``dropped``.
    """

    fate: Fate
    reason: str = ""
    mark: Literal["", "started", "sealed", "owned_elsewhere", "escalated"] = ""
    detail: str = ""
    follow_up: Literal["", "next_step", "dropped"] = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave the head in place for ``seconds``. ``unknown``: the call may have been acted on.

    ``gate``: what closes for the whole persona, and not only for this conversation. ``asked``: the persona was called,
    so the attempt counts. ``bubbles_sent``: so many bubbles of the reply have surely been sent, one more than before.
    """

    seconds: float
    reason: str
    unknown: bool = False
    gate: Gate = ""
    asked: bool = True
    bubbles_sent: int | None = None


class Attempts(Protocol):
    """What the journal knows of the head (``worker.store.journal.Entry``)."""

    @property
    def kind(self) -> str: ...
    @property
    def accepted_at(self) -> int: ...
    @property
    def first_begun_at(self) -> int: ...
    @property
    def asks(self) -> int: ...
    @property
    def ask_unknowns(self) -> int: ...
    @property
    def asks_vanished(self) -> int: ...
    @property
    def asks_handed_over(self) -> int: ...
    @property
    def sends(self) -> int: ...
    @property
    def send_unknowns(self) -> int: ...
    @property
    def sends_vanished(self) -> int: ...
    @property
    def sends_handed_over(self) -> int: ...
    @property
    def bubbles_sent(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """The policies that apply to one persona."""

    persona: Persona
    retry: Retry
    validity: Validity = field(default_factory=Validity)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the conversation when a turn begins.

    ``lead_wrote``: after the head was accepted. ``gives_way``: outreach is stopped, and something that happened
    on the platform waits behind the opener or follow-up at the head. ``waited_seconds``: how long the newest event of
    the turn has waited; for who speaks first, without quiet hours. ``quiet_seconds``: how long those still last, 0 =
    there are none now. ``zone_unknown``: they cannot be known, and then this persona does not speak first.
    ``others_wait``: behind the events of the turn.
    """

    sealed: bool = False
    owned_elsewhere: bool = False
    lead_wrote: bool = False
    gives_way: bool = False
    waited_seconds: float = 0.0
    quiet_seconds: float = 0.0
    zone_unknown: bool = False
    others_wait: bool = False


def before_asking(head: Attempts, known: Known, rules: Rules) -> Ask | Deliver | End | Wait:
    """Whether the persona is to be called at all."""
    speaks_first = head.kind in ("ai_opener", "follow_up")
    if known.sealed:
        return End("sealed", "the conversation is sealed")
    if speaks_first and known.owned_elsewhere:
        return End("ignored", OWNED_ELSEWHERE)
    if speaks_first and known.lead_wrote:
        return End("skipped", LEAD_WROTE)
    if known.gives_way:
        return End("skipped", "outreach is stopped, and another event came", follow_up="next_step")
    validity_seconds: float = getattr(rules.validity, f"{head.kind}_seconds")
    if known.waited_seconds > validity_seconds:
        reason = f"too old: waited {known.waited_seconds:.0f} s, valid for {validity_seconds:.0f} s"
        return End("skipped", reason, follow_up="next_step")
    if _poison(head.asks_vanished, head.asks_handed_over, rules):
        return _dead(f"poison: its worker vanished {head.asks_vanished} times while asking", rules)
    unknown = head.asks_vanished or head.ask_unknowns
    step = _after_unknown_ask(head.kind, head.ask_unknowns, rules) if unknown else Ask(second=False)
    return (_quiet(known) or step) if isinstance(step, Ask) else step


def before_sending(head: Attempts, rules: Rules) -> Send | End:
    """Whether a stored reply is to be sent (again)."""
    if _poison(head.sends_vanished, head.sends_handed_over, rules):
        return _undelivered(head, f"poison: its worker vanished {head.sends_vanished} times while delivering")
    unknown = bool(head.send_unknowns or head.sends_vanished)
    if unknown and rules.persona.unknown.delivery == "hold":
        return _undelivered(head, UNCONFIRMED)
    return Send(resent=unknown)


def without_content(reason: str, sealed: bool, jitter: random.Random) -> End | Wait:
    """What a turn does that cannot read its content: a key is missing in this process, which is no fault of the event.
    It waits, any number of times, for another process or for the key; only a seal ends it."""
    if sealed:
        return End("sealed", "the conversation is sealed")
    return Wait(_UNDECRYPTABLE_SECONDS * jitter.uniform(0.8, 1.2), reason, asked=False)


def of_answer(kind: str, result: ChatResult | ActionResult, *, second: bool) -> Deliver | End:
    """What the persona's answer means."""
    if result.ignored:
        return End("ignored", OWNED_ELSEWHERE, mark="owned_elsewhere")
    if isinstance(result, ChatResult):
        photo_url = (result.photo_url or None) if result.should_send_photo else None
        if not result.replies and not photo_url:
            return End("answered", "the persona had nothing to say", mark="started")
        return Deliver(Reply(bubbles=tuple(result.replies), photo_url=photo_url))
    if result.message:
        return Deliver(Reply(bubbles=(result.message,)))
    if result.continued and kind == "ai_opener" and second:
        return End("answered", "text lost: the first opener landed, its answer did not arrive", mark="started")
    if result.continued:
        return End("skipped", "the lead already has a live conversation", mark="started")
    return End("answered", "the persona had nothing to say", mark="started")


def of_ask_failure(
    head: Attempts, failure: fluidtalk.FluidTalkError, now: int, rules: Rules, jitter: random.Random
) -> Deliver | End | Wait:
    """What a failed call to the persona means."""
    again = _Again(head, head.asks, failure.retry_after, now, rules, jitter)
    match failure:
        case fluidtalk.ConversationSealed():
            reply = farewell("sealed", "the persona ended the conversation", rules.persona.on_sealed)
            return Deliver(reply) if reply else End("sealed", "the persona ended the conversation", mark="sealed")
        case fluidtalk.ConversationNotFound() if head.kind == "follow_up":
            return End("skipped", "no conversation yet (404)", follow_up="dropped")
        case fluidtalk.Unauthorized():
            return Wait(rules.retry.pause_seconds, f"key refused ({failure.status})", gate="quarantined")
        case fluidtalk.CreditsExhausted():
            return Wait(rules.retry.pause_seconds, "credits out (402)", gate="credits")
        case fluidtalk.Throttled():
            reason = f"throttled by the persona ({failure.status})"
            return again.wait(reason, gate="hold") or _dead(again.gave_up(reason), rules)
        case fluidtalk.Unavailable():
            reason = f"persona unavailable ({_status(failure.status)})"
            return again.wait(reason, gate="circuit") or _dead(again.gave_up(reason), rules)
        case fluidtalk.OutcomeUnknown():
            step = _after_unknown_ask(head.kind, head.ask_unknowns + 1, rules)
            if not isinstance(step, Ask):
                return step
            reason = f"no answer, it may have been acted on ({_status(failure.status, NO_ANSWER)})"
            return again.wait(reason, unknown=True) or _dead(again.gave_up(reason), rules)
        case fluidtalk.BadReply():
            return _dead("bad reply: not the documented JSON", rules, _text(failure.detail))
        case _:
            return _dead(f"refused by the persona ({_status(failure.status)})", rules, _text(failure.detail))


def of_image_failure(
    head: Attempts,
    failure: ImageError | fluidtalk.FluidTalkError,
    has_text: bool,
    now: int,
    rules: Rules,
    jitter: random.Random,
) -> Deliver | End | Wait | None:
    """What it means that an attachment cannot be hosted. None = ask without it: the lead's words still count.

    Hosting again is harmless, so an unknown outcome is no different from none.
    """
    if isinstance(failure, fluidtalk.Unauthorized):
        return of_ask_failure(head, failure, now, rules, jitter)
    passing = (
        failure.retryable
        if isinstance(failure, ImageError)
        else isinstance(failure, fluidtalk.Throttled | fluidtalk.Unavailable | fluidtalk.OutcomeUnknown)
    )
    retry_after = failure.retry_after if isinstance(failure, fluidtalk.FluidTalkError) else None
    again = _Again(head, head.asks, retry_after, now, rules, jitter)
    waiting = again.wait("image cannot be hosted yet") if passing else None
    if waiting or has_text:
        return waiting
    return _dead("image cannot be hosted and there is no text", rules)


def of_delivery(
    head: Attempts,
    reply: Reply,
    failure: captivate.CaptivateError | None,
    now: int,
    rules: Rules,
    jitter: random.Random,
) -> End | Wait:
    """What the outcome of a send means. ``failure`` None = delivered: any 2xx, whatever the body.

    ``head``: its counts are those of the present bubble, this attempt included.
    """
    if failure is None:
        sent = head.bubbles_sent + 1
        if sent < reply.sends:
            return Wait(reply.pauses[sent - 1], f"next bubble {sent + 1} of {reply.sends}", bubbles_sent=sent)
        return End(reply.fate, reply.reason, reply.mark, reply.detail)
    again = _Again(head, head.sends, failure.retry_after, now, rules, jitter)
    match failure:
        case captivate.Throttled() | captivate.Unavailable():
            reason = f"channel unavailable ({_status(failure.status)})"
            return again.wait(reason) or _undelivered(head, again.gave_up(reason))
        case captivate.OutcomeUnknown() if rules.persona.unknown.delivery == "hold":
            return _undelivered(head, UNCONFIRMED)
        case captivate.OutcomeUnknown():
            reason = f"no answer from the channel, it may have arrived ({_status(failure.status, NO_ANSWER)})"
            return again.wait(reason, unknown=True) or _undelivered(head, again.gave_up(reason))
        case _:
            return _undelivered(head, f"{REFUSED_BY_CHANNEL} ({_status(failure.status)})")


def verdict_on_opener(kind: str, end: End) -> Literal["good", "bad"] | None:
    """What the end of an opener says about its persona's outreach: ``bad`` when it was ignored, sealed or refused by
    the channel. None when it says nothing: it was never asked, or died of something else, or is no opener."""
    if kind != "ai_opener":
        return None
    # Only an answer leaves a mark; what was known before the call is no news.
    if end.mark in ("sealed", "owned_elsewhere") or end.reason.startswith(REFUSED_BY_CHANNEL):
        return "bad"
    return "good" if end.fate == "answered" else None


def pause(attempt: int, retry_after: float | None, retry: Retry, jitter: random.Random) -> float:
    """Seconds until the next attempt: the server's word in full, else exponential with jitter."""
    if retry_after is not None and retry_after >= retry.pause_seconds:
        wait = min(retry_after, retry.retry_after_limit_seconds)
        return wait + jitter.uniform(0, min(1.0, wait / 10))
    # "At once" is no pause: a server that keeps saying it would use up all attempts in a moment.
    exponent = min(max(attempt, 1) - 1, 30)
    return min(retry.pause_limit_seconds, retry.pause_seconds * 2.0**exponent) * jitter.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class _Again:
    """Whether and when a call that failed may be tried again."""

    head: Attempts
    attempt: int
    retry_after: float | None
    now: int
    rules: Rules
    jitter: random.Random

    def wait(self, reason: str, *, gate: Gate = "", unknown: bool = False) -> Wait | None:
        """A pause, or None when the budget of attempts or age is used up."""
        retry = self.rules.retry
        if self.attempt >= retry.attempts or self._age_seconds() >= retry.age_seconds:
            return None
        return Wait(pause(self.attempt, self.retry_after, retry, self.jitter), reason, unknown=unknown, gate=gate)

    def gave_up(self, reason: str) -> str:
        """The cause of the dead letter when the budget is used up."""
        return f"gave up after {self.attempt} attempts in {self._age_seconds():.0f} s: {reason}"

    def _age_seconds(self) -> float:
        return (self.now - self.head.first_begun_at) / 1000


def _poison(vanished: int, handed_over: int, rules: Rules) -> bool:
    return vanished - handed_over >= VANISHED_LIMIT or vanished >= max(VANISHED_LIMIT, rules.retry.attempts)


def _quiet(known: Known) -> Wait | End | None:
    if known.zone_unknown:
        return End("skipped", "the lead's zone is not known", follow_up="dropped")
    if not known.quiet_seconds:
        return None
    if known.others_wait:
        # Whatever happened on the platform at night is not kept from the persona until the morning.
        return End("skipped", "it waited for the end of quiet hours, and another event came", follow_up="next_step")
    return Wait(known.quiet_seconds, QUIET_HOURS, asked=False)


def _after_unknown_ask(kind: str, unknowns: int, rules: Rules) -> Ask | Deliver | End:
    policy = getattr(rules.persona.unknown, kind)
    if policy == "skip":
        reason = "outcome unknown: it may have been sent, and a double nudge is worse than none"
        return End("skipped", reason, follow_up="next_step")
    if policy == "dead_letter":
        return _dead("outcome unknown: it may have been acted on", rules)
    if unknowns > 1:
        return _dead("outcome unknown twice: it may have been acted on", rules)
    return Ask(second=True)


def _dead(reason: str, rules: Rules, detail: str = "") -> Deliver | End:
    reply = farewell("dead", reason, rules.persona.on_dead, detail)
    return Deliver(reply) if reply else End("dead", reason, detail=detail)


def _undelivered(head: Attempts, reason: str) -> End:
    # Whoever replays it must know that the lead has seen a part.
    return End("dead", f"{reason}; bubbles delivered before: {head.bubbles_sent}" if head.bubbles_sent else reason)


def _status(status: int | None, otherwise: str = "no connection") -> str:
    return f"status {status}" if status else otherwise


def _text(detail: object) -> str:
    return json.dumps(detail, ensure_ascii=False, default=repr)[:2000]
