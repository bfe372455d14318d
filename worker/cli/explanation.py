"""Why a conversation has no answer at this moment, and what will end that: pure, one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from config.settings import Settings
from worker.cli.needs import FOLLOW_UPS_LATE_SECONDS, missing
from worker.cli.times import relative, span, utc
from worker.domain.cadence import NoTouch, TouchState, next_touch, policy_of
from worker.domain.diagnoses import (
    Diagnosis,
    channel_closed,
    credits_out,
    doorbells_late,
    follow_ups_late,
    key_refused,
    outreach_stopped,
    paused,
    persona_silent,
    store_refuses,
    unconfigured,
    unread_queues,
)
from worker.domain.moments import as_datetime
from worker.domain.operator_words import as_shown
from worker.domain.reasons import read
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import FATES, Cause, Gate, rules_of
from worker.store.heartbeats import Alive
from worker.store.redis.troubles import FULL, Trouble
from worker.store.views.closed_gates import closed, in_the_way, is_held_for_all, until_of
from worker.store.views.situation import Situation
from worker.store.views.timeline import Moment

# Doorbells for what is due are sent every half second; later than this, no worker can be at it.
_LATE_MS = 10_000
_RINGS_UNANSWERED = 3
_ONE_OF_EACH = Alive(1, 1)


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a conversation. ``alive``: which processes are. ``refusal``: why the store takes no writes, None =
    it takes them. ``unread``: messages in queues that no worker reads."""

    alive: Alive = _ONE_OF_EACH
    refusal: Trouble | None = None
    unread: Mapping[str, int] = field(default_factory=dict)


def explain(now: Situation, moments: Sequence[Moment], settings: Settings, around: Around | None = None) -> str:
    """One plain sentence. ``moments``: the conversation's timeline, oldest first. ``around``: None = all is well."""
    around = around or Around()
    if not now.known:
        unread = f"; {unread_queues(around.unread).what}" if around.unread else ""
        return (
            "Nothing is known of this conversation: no event was accepted, or it was so long ago that it expired; "
            f"check the spelling of persona and target (parley books shows whether anything arrives){unread}."
        )
    if now.taken_over and not rules_of(now.kind).only_told and not rules_of(now.kind).by_operator:
        return _taken_over(now, settings)
    if not now.waiting:
        return _nothing_waits(now, moments)
    return f"{_events(now.waiting)}: {_why(now, settings, around)}"


def _why(now: Situation, settings: Settings, around: Around) -> str:
    if around.refusal and (around.refusal.code != FULL or not _turn_runs(now)):
        return _cured(store_refuses(around.refusal.code, around.refusal.means, around.refusal.remedy))
    by_a_person = _unconfigured(now, settings) or _stopped(now)
    if by_a_person or _turn_runs(now):
        found = _at_work(now, settings, around.alive) if _turn_runs(now) else by_a_person
        besides = [diagnosis.what for diagnosis in missing(around.alive)] if not _turn_runs(now) else []
        return "; besides, ".join([str(found), *besides])
    if gone := missing(around.alive):
        return _cured(*gone)
    at_work = _at_work(now, settings, around.alive)
    reasons: tuple[Callable[[Situation, Settings], str | None], ...] = (_held, _gated, _quiet)
    return at_work or next((reason for each in reasons if (reason := each(now, settings))), None) or _rung(now)


def _cured(*diagnoses: Diagnosis) -> str:
    whats = " and ".join(diagnosis.what for diagnosis in diagnoses)
    return f"{whats}; {'; '.join(diagnosis.do for diagnosis in diagnoses)}"


def _turn_runs(now: Situation) -> bool:
    return now.leased and now.lease_until > now.now


def next_follow_up(now: Situation, touch: TouchState, settings: Settings) -> str:
    """One plain sentence about the next follow-up and the rule behind it; '' when none is expected."""
    persona = now.conversation.persona
    if touch.due and persona not in settings.personas:
        return f"Next follow-up {_in(touch.due, now)}, but {_cured(unconfigured(persona))}."
    if touch.due and now.now - touch.due > FOLLOW_UPS_LATE_SECONDS * 1000:
        why = follow_ups_late(span((now.now - touch.due) / 1000))
        return f"Its next one too: {why.what}; {why.do}."
    if touch.due:
        return f"Next follow-up {_in(touch.due, now)}: {of_stored(touch.rule)}."
    if not now.known or persona not in settings.personas:
        return ""
    planned = next_touch(policy_of(settings, persona), touch)
    if isinstance(planned, NoTouch) and planned.reason:
        return f"No follow-up: {of_stored(planned.reason)}."
    return ""


def _taken_over(now: Situation, settings: Settings) -> str:
    persona, target = now.conversation
    waits = _events(now.waiting) if now.waiting else "nothing waits"
    who = {"livechat": "the channel has a person in it", "escalated": "Parley escalated it"}.get(
        now.taken_over, as_shown(now.taken_over)
    )
    by_itself = ""
    if persona in settings.personas and (quiet := settings.personas[persona].takeover.hand_back_after_seconds):
        ends = max(now.taken_over_at, now.last_inbound, now.last_said) + int(quiet * 1000)
        by_itself = f", or by itself {_in(ends, now)} unless somebody writes"
    return (
        f"A person has this conversation since {_day(now.taken_over_at)} ({who}), so the persona is silent; {waits}; "
        f"it goes on after: parley hand-back {persona} {target}{by_itself}."
    )


def _nothing_waits(now: Situation, moments: Sequence[Moment]) -> str:
    if now.sealed_at and now.sealed_by:
        persona, target = now.conversation
        return (
            f"Sealed on {_day(now.sealed_at)} by {as_shown(now.sealed_by)}: later events end as sealed without a call; "
            f"it goes on after: parley unseal {persona} {target}"
        )
    if now.sealed_at:
        return (
            f"The persona ended this conversation on {_day(now.sealed_at)}: later events end as sealed without a call."
        )
    last = next((moment for moment in reversed(moments) if moment.word in (*FATES, "refused", "discarded")), None)
    if last is None:
        return "Nothing waits, and the timeline no longer says how the last event ended."
    reason = f" ({of_stored(str(last.details[0]))})" if last.details and last.details[0] else ""
    when = last.at.strftime("%Y-%m-%d %H:%M:%S UTC")
    if last.word == "dead":
        return f"Nothing waits; the last event became a dead letter at {when}{reason}: see parley dead list."
    if last.word == "refused":
        return f"Nothing waits; the last event was refused at the door at {when}{reason}: see parley dead list."
    if last.word == "discarded":
        return f"Nothing waits; at {when} an operator discarded a dead event without an answer."
    return f"Nothing waits; the last turn ended at {when} as {last.word}{reason}."


def _unconfigured(now: Situation, settings: Settings) -> str | None:
    persona = now.conversation.persona
    if persona in settings.personas:
        return None
    return _cured(unconfigured(persona))


def _stopped(now: Situation) -> str | None:
    gate, persona = in_the_way(now), now.conversation.persona
    if gate is Gate.PAUSED:
        return _cured(paused(persona, now.gates[gate]))
    if gate is Gate.QUARANTINED:
        return _cured(key_refused(persona, now.gates[gate]))
    return None


def _at_work(now: Situation, settings: Settings, alive: Alive) -> str | None:
    if not now.leased:
        return None
    if now.lease_until <= now.now:
        others = "another one" if alive.workers > 1 else "another one, if one runs,"
        return f"the worker that had it is frozen or dead: {others} takes over {_in(now.due, now)}; see parley status."
    if now.step == "delivering":
        limit = settings.captivate.total_seconds
        what = f"bubble {now.bubbles_sent + 1} of the answer" if now.bubbles_sent else "the answer"
        return f"a worker is delivering {what} (attempt {now.sends}); that takes {limit:.0f} s at most."
    limit = settings.fluidtalk.total_seconds
    return f"a worker is asking the persona (attempt {now.asks}); that takes {limit:.0f} s at most."


def _held(now: Situation, settings: Settings) -> str | None:
    if now.hold_until <= now.now:
        return None
    told, reason = of_stored(now.hold_reason), read(now.hold_reason)
    cause = reason and reason.cause
    if now.bubbles_sent and not now.sends:
        return f"its answer goes out bubble by bubble; {told} at {_clock(now.hold_until)}."
    if not now.replied and cause is Cause.RAMP:
        return (
            f"the opener waits for its moment in the outreach ramp, {_in(now.hold_until, now)}, unless the lead writes "
            f"first: parley outreach {now.conversation.persona}"
        )
    if not now.replied and cause is Cause.QUIET_HOURS:
        return f"it is night where the lead is (quiet hours); it goes out {_in(now.hold_until, now)}."
    if not now.replied and cause is Cause.FREQUENCY_CAP:
        return f"{told}; it goes out {_in(now.hold_until, now)}, unless something else happens first."
    if cause is Cause.IN_LINE:
        persona = now.conversation.persona
        return (
            f"it waits in line for a call with the key of {persona} (calls_at_once="
            f"{settings.personas[persona].calls_at_once}), the longest waiting first; it is asked when a place is free."
        )
    if is_held_for_all(now):
        return None
    attempts = now.sends if now.replied else now.asks
    return f"held because of: {told}; tried again {_in(now.hold_until, now)} ({attempts} attempts so far)."


def _gated(now: Situation, _: Settings) -> str | None:
    gate, persona = in_the_way(now), now.conversation.persona
    if gate is None:
        return None
    reason = closed(now.gates, now.now)[gate]
    if gate is Gate.CHANNEL:
        return f"its answer is kept: {channel_closed(reason).what}; {_tried(gate, now)}"
    if gate is Gate.HOLD:
        until = until_of(now.gates, gate)
        return f"the whole persona {persona} waits ({of_stored(reason)}); it goes on {_in(until, now)}."
    if gate is Gate.OUTREACH:
        return _cured(outreach_stopped(persona, reason))
    why = persona_silent if gate is Gate.CIRCUIT else credits_out
    return f"{why(persona, reason).what}; {_tried(gate, now)}"


def _quiet(now: Situation, settings: Settings) -> str | None:
    if now.joining != "open" or now.due <= now.now or now.replied:
        return None
    join = settings.join_of(now.conversation.persona)
    if now.due > now.accepted_at + join.settle_limit_seconds * 1000 or not join.settle_seconds or now.rings:
        return None
    return f"the lead may still be typing; asked {_in(now.due, now)} unless more comes."


def _rung(now: Situation) -> str:
    if now.ready:
        return (
            "it is ready; a beat rings for so many openers and follow-ups at each tick, the oldest first, as workers "
            f"have room beside the leads who wait: parley outreach {now.conversation.persona}"
        )
    if now.due < now.now - _LATE_MS:
        late = (now.now - now.due) / 1000
        return _cured(doorbells_late(f"{late:.0f} s"))
    if now.rings >= _RINGS_UNANSWERED:
        return (
            f"its doorbell was rung {now.rings} times and no worker took it; start a worker or give the present ones "
            f"more room (PARLEY_WORKER__CONCURRENCY); rung again {_in(now.due, now)}."
        )
    return f"a worker takes it as soon as one is free; its doorbell rings again {_in(now.due, now)}."


def _tried(gate: Gate, now: Situation) -> str:
    return f"one call tries it {_in(until_of(now.gates, gate), now)}, an answer lets all go on."


def _events(count: int) -> str:
    return "1 event waits" if count == 1 else f"{count} events wait"


def _in(at: int, now: Situation) -> str:
    seconds = (at - now.now) / 1000
    if seconds <= 0:
        return "now"
    return relative(at, now.now) if seconds < 90 else f"{relative(at, now.now)} ({_day(at)})"


def _clock(at: int) -> str:
    return as_datetime(at).strftime("%H:%M:%S UTC")


def _day(at: int) -> str:
    return utc(at)
