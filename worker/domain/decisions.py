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
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from config.settings import Escalation, Persona, Retry, TextLost, Validity
from worker.domain import failures
from worker.domain.answer import Answer
from worker.domain.failures import CallFailed, ImageUnavailable
from worker.domain.reasons import Reason, of_farewell, read
from worker.domain.reply import Reply, farewell
from worker.domain.retry import (
    UNTRIED,
    Failed,
    Tried,
    Tries,
    What,
    limit_of,
    obeyed,
    pause,
    pause_after,
    pause_for_all,
    spent,
)
from worker.domain.suspicion import Vanished, is_poison
from worker.domain.vocabulary import Cause, Fate, Gate, Mark, figures, rules_of, stored

_SILENT = TextLost()

# How long an event waits whose content this process cannot read; another process may have the key.
_UNDECRYPTABLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Call the persona. ``second``: an earlier call may have been acted on. ``without_image``: the image could not be
    hosted, and the lead's words still count."""

    second: bool
    without_image: bool = False


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

    ``cause`` and ``detail`` say why, without content: None = the lead has the answer. ``quote`` is what the server
    said, for the journal of a dead letter only: it may quote content. ``follow_up``: for a follow-up that was not sent,
    whether the cadence continues with its ``next_step`` or is ``dropped``.
    """

    fate: Fate
    cause: Cause | None = None
    detail: str = ""
    mark: Mark = ""
    quote: str = ""
    follow_up: Literal["", "next_step", "dropped"] = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave the head in place for ``seconds``. ``cause`` and ``detail`` say why, without content. ``unknown``: the call
    may have been acted on.

    ``gate``: what closes for the whole persona, and not only for this conversation; a gate "hold" for ``gate_seconds``,
    less than ``seconds``: the others continue before the event that was throttled. ``asked``: the upstream was called;
    if not, no attempt was made. ``failed``: the attempt may turn out to be the event's own fault.
    ``bubbles_sent``: that many bubbles of the reply have surely been sent, one more than before.
    """

    seconds: float
    cause: Cause
    detail: str = ""
    unknown: bool = False
    gate: Gate | None = None
    gate_seconds: float = 0.0
    asked: bool = True
    failed: Failed | None = None
    bubbles_sent: int | None = None


class Attempts(Tried, Vanished, Protocol):
    """What the journal knows of the head (``worker.store.conversations.journal.Entry``)."""

    @property
    def kind(self) -> str: ...
    @property
    def accepted_at(self) -> int: ...
    @property
    def asks(self) -> int: ...
    @property
    def ask_unknowns(self) -> int: ...
    @property
    def sends(self) -> int: ...
    @property
    def send_unknowns(self) -> int: ...
    @property
    def bubbles_sent(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """The policies that apply to one persona."""

    persona: Persona
    retry: Retry
    validity: Validity = field(default_factory=Validity)

    def about(self, kind: str) -> Rules:
        """The policies for events of this kind. Of what is only told nothing reaches the lead, a farewell neither; and
        who speaks in the persona's place needs no other person."""
        if not rules_of(kind).only_told and not rules_of(kind).by_operator:
            return self
        return replace(self, persona=self.persona.model_copy(update={"on_dead": Escalation()}))

    def may_repeat(self, kind: str) -> bool:
        """Whether an event of this kind is asked again although its call may have been acted on."""
        return rules_of(kind).unknown(self.persona.on_unknown) in ("ask_again", "probe")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the conversation when a turn begins.

    ``lead_wrote``: after the head was accepted. ``gives_way``: outreach is stopped, and something that happened
    on the platform waits behind the opener or follow-up at the head. ``waited_seconds``: how long the newest event of
    the turn has waited; for who speaks first, without quiet hours. ``quiet_seconds``: how long those still last, 0 =
    there are none now. ``zone_unknown``: they cannot be known, and then this persona does not speak first.
    ``closed``: why the channel takes no outreach now, None = it does. ``others_wait``: behind the events of the turn.
    ``tries``: the failed attempts that count against the head.
    """

    sealed: bool = False
    owned_elsewhere: bool = False
    lead_wrote: bool = False
    gives_way: bool = False
    waited_seconds: float = 0.0
    quiet_seconds: float = 0.0
    zone_unknown: bool = False
    closed: Reason | None = None
    others_wait: bool = False
    tries: Tries = UNTRIED


def before_asking(head: Attempts, known: Known, rules: Rules) -> Ask | Deliver | End | Wait:
    """Decide whether the persona is called at all."""
    rules = rules.about(head.kind)
    if ended := without_a_call(head, known, rules):
        return ended
    if poison := of_poison(head, rules):
        return poison
    gave_up = spent(head, known.tries, rules.retry)
    image_is_missing = gave_up is not None and head.failed is not None and head.failed.what == "image"
    if gave_up and not image_is_missing:
        return _dead(gave_up[0], rules, gave_up[1])
    unknown = head.asks_vanished or head.ask_unknowns
    step = _after_unknown_ask(head.kind, rules, _last_answer(head)) if unknown else Ask(second=False)
    if not isinstance(step, Ask):
        return step
    if known.closed:
        return End("skipped", *known.closed, follow_up="dropped")
    return _quiet(known) or Ask(step.second, without_image=image_is_missing)


def without_a_call(head: Attempts, known: Known, rules: Rules) -> End | None:
    """How an event ends that is not asked any more, whatever it says and whatever was tried; None = it goes on."""
    kind = rules_of(head.kind)
    if known.sealed and not kind.only_told:
        return End("sealed", Cause.SEALED)
    if kind.speaks_first and known.owned_elsewhere:
        return End("ignored", Cause.OWNED_ELSEWHERE)
    if kind.speaks_first and known.lead_wrote:
        return End("skipped", Cause.LEAD_WROTE)
    if known.gives_way:
        return End("skipped", Cause.OUTREACH_STOPPED, follow_up="next_step")
    validity_seconds = kind.valid_seconds(rules.validity)
    if known.waited_seconds > validity_seconds:
        detail = figures(waited=f"{known.waited_seconds:.0f}", valid=f"{validity_seconds:.0f}")
        return End("skipped", Cause.TOO_OLD, detail, follow_up="next_step")
    return None


def before_sending(head: Attempts, tries: Tries, rules: Rules) -> Send | End:
    """Decide whether a stored reply is sent (again). ``tries``: the failed sends that count against the head."""
    if poison := _poison_to_send(head, rules):
        return poison
    unknown = bool(head.send_unknowns or head.sends_vanished)
    if unknown and rules.persona.unknown.delivery == "hold":
        return _undelivered(head, Cause.DELIVERY_UNCONFIRMED, _last_answer(head))
    if gave_up := spent(head, tries, rules.retry):
        return _undelivered(head, *gave_up)
    return Send(resent=unknown)


def without_content(reason: Reason, sealed: bool, jitter: random.Random) -> End | Wait:
    """What a turn does when this process lacks a key and cannot read its content, which is no fault of the event. It
    waits, any number of times, for another process or for the key. Only a seal ends it."""
    if sealed:
        return End("sealed", Cause.SEALED)
    return Wait(_UNDECRYPTABLE_SECONDS * jitter.uniform(0.8, 1.2), reason.cause, reason.detail, asked=False)


def of_answer(kind: str, answer: Answer, *, second: bool, lost: TextLost = _SILENT) -> Deliver | End:
    """What the persona's answer means. ``second``: an earlier call may have been acted on. ``lost``: what the lead gets
    when it was, and its words did not arrive."""
    if rules_of(kind).only_told:
        return End("answered", Cause.ONLY_TOLD)
    if answer.ignored:
        return End("ignored", Cause.OWNED_ELSEWHERE, mark="owned_elsewhere")
    if answer.bubbles or answer.photo_url:
        return Deliver(
            Reply(answer.bubbles, photo_url=answer.photo_url, pauses=answer.delays[1:], photos=answer.photos)
        )
    if answer.no_such_trigger:
        return End("skipped", Cause.NO_SUCH_TRIGGER)
    if second and (answer.repeated or (answer.continued and kind == "ai_opener")):
        return _text_lost(lost)
    if answer.continued:
        return End("skipped", Cause.ALREADY_LIVE, mark="started")
    return End("answered", Cause.NOTHING_SAID, figures(reason=answer.silence), mark="started")


def _text_lost(lost: TextLost) -> Deliver | End:
    end = End("answered", Cause.TEXT_LOST, mark="started")
    if lost.action == "silence":
        return end
    reason = stored(end.cause)
    if lost.action == "line" and lost.line:
        return Deliver(Reply((lost.line,), reason=reason))
    return Deliver(Reply(escalation={"action": "escalate_to_human"}, reason=reason, mark="escalated"))


def of_ask_failure(
    head: Attempts, failure: CallFailed, tries: Tries, rules: Rules, jitter: random.Random
) -> Deliver | End | Wait:
    """What a failed call to the persona means. ``tries``: the failed calls before it that count against the head."""
    rules = rules.about(head.kind)
    match failure:
        case failures.Sealed():
            reply = farewell("sealed", stored(Cause.PERSONA_ENDED), rules.persona.on_sealed)
            return Deliver(reply) if reply else End("sealed", Cause.PERSONA_ENDED, mark="sealed")
        case failures.NoConversation() if head.kind == "follow_up":
            return End("skipped", Cause.NO_CONVERSATION, follow_up="dropped")
        case failures.OutcomeUnknown():
            step = _after_unknown_ask(head.kind, rules, status_of(failure))
            if not isinstance(step, Ask):
                return step
            reason = Reason(Cause.PERSONA_UNKNOWN, status_of(failure))
            if rules_of(head.kind).only_told:
                # However often it is told, it counts once: only a long time without an answer ends it.
                waiting = _again("unavailable", reason, head.asks, failure.retry_after, tries, rules, jitter)
                return replace(waiting, unknown=True)
            return _again("unknown", reason, head.asks, failure.retry_after, tries, rules, jitter)
        case failures.Unavailable():
            reason = Reason(Cause.PERSONA_UNAVAILABLE, status_of(failure))
            return _again("unavailable", reason, head.asks, failure.retry_after, tries, rules, jitter)
        case failures.BadReply():
            return _dead(Cause.BAD_REPLY, rules, quote=_text(failure.detail))
        case _:
            return _of_key(head, failure, rules, jitter) or _dead(
                Cause.PERSONA_REFUSED, rules, status_of(failure), _text(failure.detail)
            )


def _of_key(head: Attempts, failure: CallFailed, rules: Rules, jitter: random.Random) -> Wait | None:
    # What the server says of the key and not of the event ends no event, any number of times.
    seconds = pause(head.asks, failure.retry_after, rules.retry, jitter)
    match failure:
        case failures.KeyRefused():
            return Wait(rules.retry.pause_seconds, Cause.KEY_REFUSED, status_of(failure), gate=Gate.QUARANTINED)
        case failures.CreditsOut():
            leads = "all" if isinstance(failure, failures.WalletEmpty) else None
            return Wait(seconds, Cause.CREDITS_OUT, figures(reason=failure.why, leads=leads), gate=Gate.CREDITS)
        case failures.Throttled():
            for_all = pause_for_all(head.asks, failure.retry_after, rules.retry, jitter)
            behind = max(seconds, for_all) + rules.retry.pause_seconds * jitter.uniform(0.5, 1.0)
            return Wait(behind, Cause.PERSONA_THROTTLED, status_of(failure), gate=Gate.HOLD, gate_seconds=for_all)
        case _:
            return None


def of_image_failure(
    head: Attempts,
    failure: ImageUnavailable | CallFailed,
    has_text: bool,
    tries: Tries,
    rules: Rules,
    jitter: random.Random,
) -> Deliver | End | Wait | None:
    """What it means that an attachment cannot be hosted. None = ask without it: the lead's words still count.

    An upload is a call with the persona's key, so what it says of key and persona holds for all. Hosting again is
    harmless, so an unknown outcome is no different from none. A link that cannot be read is the event's own fault.
    """
    if isinstance(failure, CallFailed):
        if of_key := _of_key(head, failure, rules, jitter):
            return of_key
        if isinstance(failure, failures.Unavailable | failures.OutcomeUnknown):
            reason = Reason(Cause.IMAGE_NOT_HOSTED, status_of(failure))
            return _again("image", reason, head.asks, failure.retry_after, tries, rules, jitter)
    elif failure.retryable and tries.counted + 1 < rules.retry.attempts:
        waiting = _again("image", Reason(Cause.IMAGE_NOT_FETCHED), head.asks, None, tries, rules, jitter)
        return replace(waiting, failed=Failed("image", rules.retry.attempts, own=True))
    return image_given_up(has_text, rules)


def image_given_up(has_text: bool, rules: Rules) -> Deliver | End | None:
    """What it means that an attachment will never be hosted. None = ask without it."""
    return None if has_text else _dead(Cause.IMAGE_MISSING, rules)


def of_delivery(
    head: Attempts,
    reply: Reply,
    failure: CallFailed | None,
    tries: Tries,
    rules: Rules,
    jitter: random.Random,
) -> End | Wait:
    """What the outcome of a send means. ``failure`` None = delivered: any 2xx, whatever the body.

    ``head``: its counts are those of the present bubble, this attempt included. ``tries``: the failed sends of this
    bubble before it that count against the head.
    """
    if failure is None:
        sent = head.bubbles_sent + 1
        if sent < reply.sends:
            detail = figures(bubble=sent + 1, of=reply.sends)
            return Wait(reply.pauses[sent - 1], Cause.PACING, detail, bubbles_sent=sent)
        return of_reply(reply)

    def again(what: What, cause: Cause) -> Wait:
        return _again(what, Reason(cause, status_of(failure)), head.sends, failure.retry_after, tries, rules, jitter)

    match failure:
        case failures.Throttled():
            return again("throttled", Cause.CHANNEL_UNAVAILABLE)
        case failures.Unavailable():
            return again("unavailable", Cause.CHANNEL_UNAVAILABLE)
        case failures.OutcomeUnknown() if rules.persona.unknown.delivery == "hold":
            return _undelivered(head, Cause.DELIVERY_UNCONFIRMED, status_of(failure))
        case failures.OutcomeUnknown():
            return replace(again("unavailable", Cause.CHANNEL_UNKNOWN), unknown=True)
        case failures.KeyRefused():
            # The login of the whole channel, or this conversation alone: the results of other conversations decide.
            return again("refused", Cause.CHANNEL_REFUSED)
        case _:
            return _undelivered(head, Cause.DELIVERY_REFUSED, status_of(failure))


def withheld(head: Attempts, reply: Reply, cause: Cause, detail: str = "") -> End:
    """The end of a reply of which the rest is not sent. What the lead has seen of it is an answer.

    The detail says how many messages were surely sent, of how many, and whether one more may have arrived.
    """
    doubtful = bool(head.send_unknowns or head.sends_vanished)
    counts = figures(sent=head.bubbles_sent, of=reply.sends, doubtful=int(doubtful))
    told = f"{detail} {counts}" if detail else counts
    fate: Fate = "answered" if head.bubbles_sent else "skipped"
    return End(fate, cause, told, reply.mark, follow_up="" if head.bubbles_sent else "dropped")


def verdict_on_opener(kind: str, end: End) -> Literal["good", "bad"] | None:
    """What the end of an opener says about its persona's outreach: ``bad`` when it was ignored, sealed or refused by
    the channel. None when it says nothing: it was never asked, or died of something else, or is no opener."""
    if kind != "ai_opener":
        return None
    # Only an answer leaves a mark; what was known before the call is no news.
    if end.mark in ("sealed", "owned_elsewhere") or end.cause is Cause.DELIVERY_REFUSED:
        return "bad"
    return "good" if end.fate == "answered" else None


def of_reply(reply: Reply) -> End:
    """The end that a reply brings once it is delivered."""
    cause, detail = read(reply.reason) or (None, "")
    return End(reply.fate, cause, detail, reply.mark, reply.detail)


def _again(
    what: What,
    reason: Reason,
    attempt: int,
    retry_after: float | None,
    tries: Tries,
    rules: Rules,
    jitter: random.Random,
) -> Wait:
    seconds = obeyed(retry_after, rules.retry, jitter) or pause_after(what, attempt, tries, rules.retry, jitter)
    return Wait(
        seconds,
        reason.cause,
        reason.detail,
        unknown=what == "unknown",
        failed=Failed(what, limit_of(what, rules.retry)),
    )


def of_poison(head: Attempts, rules: Rules) -> Deliver | End | None:
    """How an event ends that is the cause of dead processes; None = it is not. Reads nothing that it says."""
    if head.reply is not None:
        return _poison_to_send(head, rules)
    if not is_poison(head, rules.retry.attempts):
        return None
    evidence = figures(times=head.asks_vanished, killed=head.killed_alone or None)
    return _dead(Cause.POISON_ASKING, rules.about(head.kind), evidence)


def _poison_to_send(head: Attempts, rules: Rules) -> End | None:
    if not is_poison(head, rules.retry.attempts):
        return None
    evidence = figures(times=head.sends_vanished, killed=head.killed_alone or None)
    return _undelivered(head, Cause.POISON_DELIVERING, evidence)


def _quiet(known: Known) -> Wait | End | None:
    if known.zone_unknown:
        return End("skipped", Cause.ZONE_UNKNOWN, follow_up="dropped")
    if not known.quiet_seconds:
        return None
    if known.others_wait:
        # A platform event of the night must not wait until the morning.
        return End("skipped", Cause.QUIET_GAVE_WAY, follow_up="next_step")
    return Wait(known.quiet_seconds, Cause.QUIET_HOURS, asked=False)


def _last_answer(head: Attempts) -> str:
    last = head.failed and read(head.failed.why)
    return last.detail if last and last.detail.startswith("status=") else ""


def _after_unknown_ask(kind: str, rules: Rules, answer: str) -> Ask | Deliver | End:
    policy = rules_of(kind).unknown(rules.persona.on_unknown)
    if policy == "skip":
        return End("skipped", Cause.NUDGE_UNKNOWN, follow_up="next_step")
    if policy == "dead_letter":
        return _dead(Cause.OUTCOME_UNKNOWN, rules, answer)
    return Ask(second=True)


def _dead(cause: Cause, rules: Rules, detail: str = "", quote: str = "") -> Deliver | End:
    reply = farewell("dead", of_farewell(cause, detail), rules.persona.on_dead, quote)
    return Deliver(reply) if reply else End("dead", cause, detail, quote=quote)


def _undelivered(head: Attempts, cause: Cause, detail: str = "") -> End:
    # An operator who replays it has to know that the lead has seen a part.
    bubbles = figures(bubbles=head.bubbles_sent)
    return End("dead", cause, " ".join(part for part in (detail, bubbles) if part))


def status_of(failure: CallFailed) -> str:
    """The status of a failure as a detail; '' without an answer."""
    return figures(status=failure.status)


def answer_of(failure: CallFailed) -> str:
    """The detail of ``Cause.NO_ANSWER``: which answer a failure was, or why there was none, as far as that is known."""
    return status_of(failure) or (f"text={failure.why}" if failure.why else "")


def _text(detail: object) -> str:
    return json.dumps(detail, ensure_ascii=False, default=repr)[:2000]
