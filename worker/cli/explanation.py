"""Why a conversation has no answer at this moment, and what will end that: pure, one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from config.settings import Settings
from worker.cli.gates import closed_gates
from worker.cli.times import relative, utc
from worker.domain.cadence import NoTouch, Policy, TouchState, next_touch
from worker.domain.reasons import read
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import FATES, Cause, Gate
from worker.store.views.situation import Situation
from worker.store.views.timeline import Moment

# Beat rings what is due every half second; later than this and no beat can be running.
_LATE_MS = 10_000
_RINGS_UNANSWERED = 3


def explain(now: Situation, moments: Sequence[Moment], settings: Settings) -> str:
    """One plain sentence. ``moments``: the conversation's timeline, oldest first."""
    if not now.known:
        return (
            "Nothing is known of this conversation: no event was accepted, or it was so long ago that it expired; "
            "check the spelling of persona and target (parley books shows whether anything arrives)."
        )
    if now.taken_over:
        return _taken_over(now, settings)
    if not now.waiting:
        return _nothing_waits(now, moments)
    reasons: tuple[Callable[[Situation, Settings], str | None], ...] = (_unconfigured, _at_work, _held, _gated, _quiet)
    found = next((reason for each in reasons if (reason := each(now, settings))), None)
    return f"{_events(now.waiting)}: {found or _rung(now)}"


def next_follow_up(now: Situation, touch: TouchState, settings: Settings) -> str:
    """One plain sentence about the next follow-up and the rule behind it; '' when nobody expects one."""
    persona = now.conversation.persona
    if touch.due:
        held = "" if persona in settings.personas else f"; but persona {persona} is not in these settings"
        return f"Next follow-up {_in(touch.due, now)}: {touch.rule}{held}."
    if not now.known or persona not in settings.personas:
        return ""
    policy = Policy(settings.follow_ups_of(persona), settings.quiet_hours_of(persona))
    planned = next_touch(policy, touch)
    if isinstance(planned, NoTouch) and planned.reason:
        return f"No follow-up: {planned.reason}."
    return ""


def _taken_over(now: Situation, settings: Settings) -> str:
    persona, target = now.conversation
    waits = _events(now.waiting) if now.waiting else "nothing waits"
    who = {"livechat": "the channel has a person in it", "escalated": "Parley escalated it"}.get(
        now.taken_over, now.taken_over
    )
    by_itself = ""
    if persona in settings.personas and (quiet := settings.personas[persona].takeover.hand_back_after_seconds):
        ends = max(now.taken_over_at, now.last_inbound) + int(quiet * 1000)
        by_itself = f", or by itself {_in(ends, now)} unless the lead writes"
    return (
        f"A person has this conversation since {_day(now.taken_over_at)} ({who}), so the persona is silent; {waits}; "
        f"it goes on after: parley hand-back {persona} {target}{by_itself}."
    )


def _nothing_waits(now: Situation, moments: Sequence[Moment]) -> str:
    if now.sealed_at and now.sealed_by:
        persona, target = now.conversation
        return (
            f"Sealed on {_day(now.sealed_at)} by {now.sealed_by}: later events end as sealed without a call; "
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
    return f"persona {persona} is not in these settings; configure it and restart the workers."


def _at_work(now: Situation, settings: Settings) -> str | None:
    if not now.leased:
        return None
    if now.lease_until <= now.now:
        return f"the worker that had it vanished; another one takes over {_in(now.due, now)}, when a beat rings."
    if now.step == "delivering":
        limit = settings.captivate.total_seconds
        what = f"bubble {now.bubbles_sent + 1} of the answer" if now.bubbles_sent else "the answer"
        return f"a worker is delivering {what} (attempt {now.sends}); that takes {limit:.0f} s at most."
    limit = settings.fluidtalk.total_seconds
    return f"a worker is asking the persona (attempt {now.asks}); that takes {limit:.0f} s at most."


def _held(now: Situation, settings: Settings) -> str | None:
    stopped = not now.replied and any(gate in now.gates for gate in (Gate.PAUSED, Gate.QUARANTINED))
    if now.hold_until <= now.now or stopped:
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
    if cause is Cause.IN_LINE:
        persona = now.conversation.persona
        return (
            f"it waits in line for a call with the key of {persona} (calls_at_once="
            f"{settings.personas[persona].calls_at_once}), the longest waiting first; it is asked when a place is free."
        )
    attempts = now.sends if now.replied else now.asks
    return f"held because of: {told}; tried again {_in(now.hold_until, now)} ({attempts} attempts so far)."


def _gated(now: Situation, _: Settings) -> str | None:
    closed = closed_gates(now.gates, now.now)
    persona = now.conversation.persona
    if now.replied:
        reason = closed.get(Gate.CHANNEL)
        return reason and f"its answer is kept: {_tried(Gate.CHANNEL, reason, now)}"
    if reason := closed.get(Gate.PAUSED):
        return f"persona {persona} is paused ({reason}); it goes on after: parley resume {persona}"
    if reason := closed.get(Gate.QUARANTINED):
        return (
            f"persona {persona} is quarantined ({reason}); correct its key, restart the workers, "
            f"then: parley resume {persona}"
        )
    if reason := closed.get(Gate.HOLD):
        until = int(now.gates["hold_until"])
        return f"the whole persona {persona} waits ({reason}); it goes on {_in(until, now)}."
    if now.outreach and (reason := closed.get(Gate.OUTREACH)):
        return (
            f"persona {persona} sends no openers and follow-ups ({reason}); when the cause is mended: "
            f"parley resume {persona} --gate outreach"
        )
    for gate in (Gate.CIRCUIT, Gate.CREDITS):
        if gate in closed and not (gate == Gate.CREDITS and now.started):
            return _tried(gate, closed[gate], now)
    return None


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
        return f"due for {late:.0f} s, but no beat has sent its doorbell; start a beat: celery -A worker beat"
    if now.rings >= _RINGS_UNANSWERED:
        return (
            f"its doorbell was rung {now.rings} times and no worker took it; start a worker or give the present ones "
            f"more room (PARLEY_WORKER__CONCURRENCY); rung again {_in(now.due, now)}."
        )
    return f"a worker takes it as soon as one is free; its doorbell rings again {_in(now.due, now)}."


def _tried(gate: Gate, reason: str, now: Situation) -> str:
    what = {
        Gate.CIRCUIT: f"the circuit is open ({reason})",
        Gate.CREDITS: f"no credits to begin with ({reason})",
        Gate.CHANNEL: f"the channel takes no messages ({reason})",
    }[gate]
    return f"{what}; one call tries it {_in(int(now.gates[f'{gate}_until']), now)}, an answer lets all go on."


def _events(count: int) -> str:
    return "1 event waits" if count == 1 else f"{count} events wait"


def _in(at: int, now: Situation) -> str:
    seconds = (at - now.now) / 1000
    if seconds <= 0:
        return "now"
    return relative(at, now.now) if seconds < 90 else f"{relative(at, now.now)} ({_day(at)})"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S UTC")


def _day(at: int) -> str:
    return utc(at)
