"""When a quiet lead gets a follow-up: pure. One next touch for each conversation, with the rule that set it.

All moments are milliseconds of the store's clock. Every rule and reason is as the store keeps it: a cause and its
detail, of which ``worker.domain.sentences.of_stored`` makes the sentence. A touch is computed from the policy whenever
it is needed, and the same state gives the same moment. So a planned touch moves only when policy or zone have changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from config.outreach_rules import MessagingWindows
from config.sections import FollowUps, QuietHours
from config.settings import Settings
from config.values import TEN_YEARS
from config.zones import name_of
from worker.domain.messaging_windows import MessagingWindow, messaging_window_of
from worker.domain.quiet_hours import Window, ZoneUnknown, window_of
from worker.domain.reasons import Reason
from worker.domain.vocabulary import Cause, figures, stored

DAY_MS = 86_400_000
# How far ahead a touch may be asked for: as long as the longest time of the settings. What is further off is a mistake.
MOST_AHEAD_MS = round(TEN_YEARS * 1000)
# Touches that waited for a morning or for the next day are spread over this time.
MORNING_MS = 1_800_000
# Why there is no further touch, when no other rule ends it.
NO_STEP, CADENCE_OVER = stored(Cause.NO_FURTHER_STEP), stored(Cause.CADENCE_OVER)
NONE_PLANNED = stored(Cause.NONE_PLANNED)
# A touch that is moved before the end of a messaging window is looked at so long before nothing may begin any more.
_BEFORE_END_MS = 300_000
_STEPS_AHEAD = 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one persona."""

    cadence: FollowUps
    quiet_hours: QuietHours
    windows: MessagingWindows = field(default_factory=MessagingWindows)


@dataclass(frozen=True, slots=True)
class TouchState:
    """What is stored of a conversation's next touch.

    ``quiet_from``: the delivery from which the lead is quiet, 0 = none. ``step``: of the cadence, 0 = the first.
    ``touches``: follow-ups that were accepted for this lead so far. ``due``: when the touch is checked, 0 = none is
    planned. ``meant_for``: the moment that the policy chose, from which lateness counts; ``rule``: why this moment.
    ``requested_at``: ``not_before`` of a touch that a producer asked for; else 0.
    ``over``: why this lead gets no follow-up any more, or ''. ``channel``: the channel context as JSON;
    ``undecryptable``: why this process cannot read it, or ''. ``last_inbound``: the lead's last message, 0 = none.
    ``opted_in``: the lead has asked for messages.
    """

    conversation: str
    plan: int = 0
    step: int = 0
    quiet_from: int = 0
    touches: int = 0
    due: int = 0
    meant_for: int = 0
    rule: str = ""
    requested_at: int = 0
    over: str = ""
    channel: str | None = field(default=None, repr=False)
    undecryptable: str = ""
    last_inbound: int = 0
    opted_in: bool = False


@dataclass(frozen=True, slots=True)
class Touch:
    """Write to the lead at this moment, for this reason."""

    at: int
    rule: str


@dataclass(frozen=True, slots=True)
class NoTouch:
    """Plan no follow-up. ``reason`` is '' when no cadence applies."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fire:
    """The touch becomes an event now."""


@dataclass(frozen=True, slots=True)
class Move:
    """Check the touch again at ``at``. ``meant``: the policy chose that moment, so it is not late; else it waits."""

    at: int
    rule: str
    meant: bool = True


@dataclass(frozen=True, slots=True)
class Drop:
    """There is no next touch any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Planned:
    """How the cadence continues: with which step, quiet from when, and what follows."""

    step: int
    quiet_from: int
    then: Touch | NoTouch


@dataclass(frozen=True, slots=True)
class Miss:
    """Too late to be sent: the cadence continues with ``planned``."""

    reason: str
    planned: Planned


@dataclass(frozen=True, slots=True)
class Outlook:
    """The touches to come, and why there are no further ones ('' = later than was asked for)."""

    touches: tuple[Touch, ...]
    ends: str


def policy_of(settings: Settings, persona: str) -> Policy:
    """The policy of a configured persona."""
    return Policy(
        settings.follow_ups_of(persona), settings.quiet_hours_of(persona), settings.messaging_windows_of(persona)
    )


def messaging_window(policy: Policy, state: TouchState) -> MessagingWindow:
    """Until when the lead's channel takes what it did not ask for."""
    return messaging_window_of(policy.windows, state.conversation, state.channel, state.last_inbound)


def closed_for(policy: Policy, state: TouchState, kind: str, at: int) -> Reason | None:
    """Why an event of this kind, which is outreach, is not begun at ``at``; None = it may be begun.

    A follow-up that was pulled is counted in ``state.touches`` already.
    """
    most = policy.cadence.per_lead
    if kind == "pulled_follow_up" and most is not None and state.touches > most:
        return Reason(Cause.LIMIT_OF_LEAD, figures(touches=str(state.touches - 1), limit=str(most)))
    return messaging_window(policy, state).closed_for_asking(at)


def next_touch(policy: Policy, state: TouchState) -> Touch | NoTouch:
    """The one next touch of a conversation, or why there is none."""
    cadence, steps = policy.cadence, len(policy.cadence.delays_seconds)
    if state.over:
        return NoTouch(state.over)
    if not state.requested_at:
        if not steps or not state.quiet_from:
            return NoTouch("")
        if state.step >= steps:
            return NoTouch(CADENCE_OVER)
    if cadence.per_lead is not None and state.touches >= cadence.per_lead:
        detail = figures(touches=str(state.touches), limit=str(cadence.per_lead))
        return NoTouch(stored(Cause.LIMIT_OF_LEAD, detail))
    window = window_of(policy.quiet_hours, state.channel)
    if isinstance(window, ZoneUnknown):
        return NoTouch(stored(Cause.ZONE_UNKNOWN))
    at, rule = _intended(policy, state)
    return _in_window(_after_quiet_hours(Touch(at, rule), window, policy, state), window, policy, state)


def decide(policy: Policy, state: TouchState, now: int) -> Fire | Move | Drop | Miss:
    """Decide about a touch that is due. The store checks caps, gates and whether the lead has written."""
    touch = next_touch(policy, state)
    if isinstance(touch, NoTouch):
        return Drop(touch.reason or NO_STEP)
    if touch.at > now:
        return Move(touch.at, touch.rule)
    late_seconds = (now - max(touch.at, state.meant_for)) / 1000
    if late_seconds > policy.cadence.late_limit_seconds:
        return _miss(policy, state, now, late_seconds)
    window = window_of(policy.quiet_hours, state.channel)
    if isinstance(window, Window) and window.holds(now):
        moved = _after_quiet_hours(Touch(now, _intended(policy, state)[1]), window, policy, state)
        return Move(moved.at, moved.rule)
    if closed := messaging_window(policy, state).closed_for_asking(now):
        return Drop(stored(*closed))
    return Fire()


def after_delivery(policy: Policy, state: TouchState, kind: str, now: int) -> Planned:
    """The cadence after a reply to an event of this kind reached the lead. A follow-up, planned or asked for, counts as
    a step; every other kind starts the cadence again."""
    return _from(policy, state, state.step + 1 if kind == "follow_up" else 0, now)


def after_skip(policy: Policy, state: TouchState, now: int) -> Planned:
    """The cadence after a follow-up that was not sent, or whose outcome is unknown: it continues with the next step."""
    return _from(policy, state, state.step + 1, now)


def replanned(policy: Policy, state: TouchState, now: int) -> Move | Drop | None:
    """What a change of policy means for a conversation in its present state; None = nothing."""
    touch = next_touch(policy, state)
    if isinstance(touch, NoTouch):
        return Drop(touch.reason or NO_STEP) if state.due else None
    if state.due and (touch.at == state.meant_for or max(touch.at, state.due) <= now):
        return None
    return Move(max(touch.at, now), touch.rule)


def upcoming(policy: Policy, state: TouchState, now: int, days: float) -> Outlook:
    """The touches of the next ``days``, if the lead stays quiet and each one is sent on time.

    It applies quiet hours, the limit per lead and the late limit. Caps per day and hour depend on other leads, so it
    ignores them.
    """
    touches: list[Touch] = []
    at, end = max(state.due, now), now + int(days * DAY_MS)
    for _ in range(_STEPS_AHEAD):
        if not state.due or at > end:
            break
        step = decide(policy, state, at)
        if isinstance(step, Drop):
            return Outlook(tuple(touches), step.reason)
        if isinstance(step, Move):
            at = step.at
            state = replace(state, due=at, meant_for=at)
            continue
        if isinstance(step, Fire):
            touch = next_touch(policy, state)
            touches.append(Touch(at, touch.rule if isinstance(touch, Touch) else state.rule))
            planned = after_delivery(policy, replace(state, touches=state.touches + 1, requested_at=0), "follow_up", at)
        else:
            planned = step.planned
        if isinstance(planned.then, NoTouch):
            return Outlook(tuple(touches), planned.then.reason or CADENCE_OVER)
        fired = isinstance(step, Fire)
        at = planned.then.at
        state = replace(
            state,
            step=planned.step,
            quiet_from=planned.quiet_from,
            touches=state.touches + fired,
            requested_at=0,
            due=at,
            meant_for=at,
        )
    return Outlook(tuple(touches), "" if state.due else NONE_PLANNED)


def spread(state: TouchState) -> float:
    """A number from 0 to 1 that is always the same for this touch, and evenly spread over all."""
    seed = f"{state.conversation} {state.quiet_from} {state.requested_at} {state.step}"
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()) / 2.0**64


def _intended(policy: Policy, state: TouchState) -> tuple[int, str]:
    if state.requested_at:
        return state.requested_at, stored(Cause.ASKED_FOR)
    cadence = policy.cadence
    delay_seconds = cadence.delays_seconds[state.step]
    delay_ms = int(delay_seconds * 1000 * (1 + cadence.jitter * spread(state)))
    detail = figures(step=state.step + 1, of=len(cadence.delays_seconds), silence=f"{delay_seconds:g}")
    return state.quiet_from + delay_ms, stored(Cause.CADENCE_STEP, detail)


def _after_quiet_hours(touch: Touch, window: Window | None, policy: Policy, state: TouchState) -> Touch:
    if window is None or not window.holds(touch.at):
        return touch
    end = window.ends(touch.at)
    # Spread, so that not all leads who waited for the morning get theirs in its first second.
    longest_ms = min(MORNING_MS, int(policy.cadence.jitter * DAY_MS))
    at = end + int(longest_ms * spread(state))
    return Touch(end if window.holds(at) else at, f"{touch.rule} {figures(zone=name_of(window.zone))}")


def _in_window(touch: Touch, quiet: Window | None, policy: Policy, state: TouchState) -> Touch | NoTouch:
    window = messaging_window(policy, state)
    closed = window.closed_for_asking(touch.at)
    if closed is None:
        return touch
    # What a producer asks for is never sent before its time.
    if window.last_begin is None or policy.windows.outside == "skip" or state.requested_at:
        return NoTouch(stored(*closed))
    latest = window.last_begin - _BEFORE_END_MS
    at = quiet.begins(latest) - _BEFORE_END_MS if quiet and quiet.holds(latest) else latest
    if at < state.quiet_from + policy.windows.closest_seconds * 1000 or window.closed_for_asking(at):
        return NoTouch(stored(*closed))
    rule = _intended(policy, state)[1]
    return Touch(at, f"{rule} {figures(window=window.channel)}")


def _miss(policy: Policy, state: TouchState, now: int, late_seconds: float) -> Miss:
    # Without a delivered reply, only requested follow-ups: no cadence starts.
    planned = _from(policy, state, state.step + 1, now if state.quiet_from else 0)
    return Miss(stored(Cause.LATE, figures(seconds=f"{late_seconds:.0f}")), planned)


def _from(policy: Policy, state: TouchState, step: int, now: int) -> Planned:
    following = replace(state, step=step, quiet_from=now, requested_at=0)
    return Planned(step, now, next_touch(policy, following))
