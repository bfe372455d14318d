"""The rules between settings. Settings that break one are refused when they are loaded.

The range of a single setting is with its type in ``config.values``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from config.outreach_rules import Frequency, MessagingWindows
from config.processes import Worker
from config.sections import (
    Agenda,
    Captivate,
    FluidTalk,
    FollowUps,
    Gates,
    Join,
    Lease,
    Pacing,
    Retention,
    Retry,
    Takeover,
    Validity,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the rules look at.

    ``upstreams``: by the name of their section. ``joins``, ``pacings``, ``cadences``, ``windows`` and ``takeovers``: by
    what stands before ``JOIN``, ``PACING``, ``FOLLOW_UPS``, ``MESSAGING_WINDOWS`` and ``TAKEOVER`` in their variables.
    """

    lease: Lease
    agenda: Agenda
    retry: Retry
    gates: Gates
    retention: Retention
    worker: Worker
    validity: Validity
    frequency: Frequency
    upstreams: Mapping[str, FluidTalk | Captivate]
    joins: Mapping[str, Join]
    pacings: Mapping[str, Pacing]
    cadences: Mapping[str, FollowUps]
    windows: Mapping[str, MessagingWindows]
    takeovers: Mapping[str, Takeover]


def faults(parts: Parts) -> list[str]:
    """All broken rules, each as a sentence that names the settings and the reason; empty when there is none."""
    return [sentence for rule in RULES for sentence in rule(parts)]


def _lease(parts: Parts) -> Iterator[str]:
    if (parts.lease.renew_seconds or 0.0) * 3 > parts.lease.ttl_seconds:
        yield (
            "LEASE__RENEW_SECONDS x 3 must not exceed LEASE__TTL_SECONDS: "
            "one slow or lost renewal must not cost a running turn its lease"
        )
    if parts.lease.process_renew_seconds * 3 > parts.lease.process_ttl_seconds:
        yield (
            "LEASE__PROCESS_RENEW_SECONDS x 3 must not exceed LEASE__PROCESS_TTL_SECONDS: "
            "one slow or lost sign must not cost all running turns their leases"
        )
    if parts.agenda.tick_seconds > parts.lease.ttl_seconds:
        yield (
            "AGENDA__TICK_SECONDS must not exceed LEASE__TTL_SECONDS: "
            "a crashed turn would be found more than one lease late"
        )
    # A look that comes later than that says nothing of silent processes (deaths.lua).
    if parts.agenda.tick_seconds * 1.25 > parts.lease.process_ttl_seconds - parts.lease.process_renew_seconds:
        yield (
            "AGENDA__TICK_SECONDS x 1.25 must not exceed LEASE__PROCESS_TTL_SECONDS - LEASE__PROCESS_RENEW_SECONDS: "
            "dead processes would not be found by their silence"
        )


def _agenda(parts: Parts) -> Iterator[str]:
    if parts.agenda.grace_seconds > parts.agenda.grace_limit_seconds:
        yield "AGENDA__GRACE_SECONDS must not exceed AGENDA__GRACE_LIMIT_SECONDS: the interval of doorbells grows to it"


def _retry(parts: Parts) -> Iterator[str]:
    if parts.retry.pause_seconds > parts.retry.pause_limit_seconds:
        yield "RETRY__PAUSE_SECONDS must not exceed RETRY__PAUSE_LIMIT_SECONDS: pauses grow from one to the other"
    if parts.retry.retry_after_limit_seconds >= parts.retry.age_seconds:
        yield (
            "RETRY__RETRY_AFTER_LIMIT_SECONDS must be below RETRY__AGE_SECONDS: "
            "one pause that the server asks for must not use up the budget of an event"
        )


def _gates(parts: Parts) -> Iterator[str]:
    if parts.gates.probe_seconds > parts.gates.probe_limit_seconds:
        yield "GATES__PROBE_SECONDS must not exceed GATES__PROBE_LIMIT_SECONDS: intervals grow from one to the other"


def _retention(parts: Parts) -> Iterator[str]:
    kept = parts.retention
    if kept.settled_seconds < 86_400:
        yield (
            "RETENTION__SETTLED_SECONDS must be at least 86400: it is also the window in which an event sent twice is "
            "recognised, and senders may repeat for a day"
        )
    if kept.dead_seconds < kept.settled_seconds:
        yield "RETENTION__DEAD_SECONDS must not be below RETENTION__SETTLED_SECONDS: dead letters wait for an operator"
    if kept.conversation_seconds < kept.dead_seconds:
        yield (
            "RETENTION__CONVERSATION_SECONDS must not be below RETENTION__DEAD_SECONDS: a conversation that expires "
            "before its events counts its follow-ups from the start, takes new ones for those that ended, and has no "
            "place for an event that is replayed"
        )


def _worker(parts: Parts) -> Iterator[str]:
    calls_seconds = sum(times.total_seconds for times in parts.upstreams.values())
    if parts.worker.stuck_seconds <= calls_seconds + parts.worker.store_wait_seconds:
        yield (
            "WORKER__STUCK_SECONDS must exceed FLUIDTALK__TOTAL_SECONDS + CAPTIVATE__TOTAL_SECONDS + "
            "WORKER__STORE_WAIT_SECONDS: one slow turn must not be taken for a stuck worker"
        )


def _upstreams(parts: Parts) -> Iterator[str]:
    for upstream, times in parts.upstreams.items():
        if times.total_seconds < max(times.connect_seconds, times.read_seconds):
            yield (
                f"{upstream}__TOTAL_SECONDS must not be below {upstream}__CONNECT_SECONDS or {upstream}__READ_SECONDS: "
                "the whole call contains both"
            )


def _joins(parts: Parts) -> Iterator[str]:
    for place, join in parts.joins.items():
        if join.settle_seconds > join.settle_limit_seconds:
            yield (
                f"{place}JOIN__SETTLE_SECONDS must not exceed {place}JOIN__SETTLE_LIMIT_SECONDS: "
                "the limit is the longest wait"
            )
        if join.settle_seconds >= parts.validity.inbound_chat_seconds:
            yield (
                f"{place}JOIN__SETTLE_SECONDS must be below VALIDITY__INBOUND_CHAT_SECONDS: "
                "a message that waited that long for more would be too old to be answered"
            )


def _pacings(parts: Parts) -> Iterator[str]:
    for place, pacing in parts.pacings.items():
        if pacing.minimum_seconds > pacing.maximum_seconds:
            yield (
                f"{place}PACING__MINIMUM_SECONDS must not exceed {place}PACING__MAXIMUM_SECONDS: "
                "every pause lies between them"
            )


def _cadences(parts: Parts) -> Iterator[str]:
    for place, cadence in parts.cadences.items():
        if cadence.late_limit_seconds < 60:
            yield (
                f"{place}FOLLOW_UPS__LATE_LIMIT_SECONDS must be at least 60: "
                "a beat that takes over from another one may be late by 15 s, and a busy persona by more"
            )


def _windows(parts: Parts) -> Iterator[str]:
    for place, windows in parts.windows.items():
        if channels := windows.without_a_beginning:
            yield (
                f"{place}MESSAGING_WINDOWS__MARGIN_SECONDS must be below each window, and that of "
                f"{', '.join(channels)} is not longer: nothing would ever be begun there; shorten the margin, "
                "or give these channels more hours, or off if the persona shall not write first there"
            )


def _frequency(parts: Parts) -> Iterator[str]:
    day, week = parts.frequency.per_lead_per_day, parts.frequency.per_lead_per_week
    if day is not None and week is not None and week < day:
        yield (
            "FREQUENCY__PER_LEAD_PER_WEEK must not be below FREQUENCY__PER_LEAD_PER_DAY: a week has every message of "
            "its days, so the number for a day would limit nothing; leave that one out, or raise the one for a week"
        )


def _takeovers(parts: Parts) -> Iterator[str]:
    for place, takeover in parts.takeovers.items():
        if (takeover.hand_back_after_seconds or 0) >= parts.validity.inbound_chat_seconds:
            yield (
                f"{place}TAKEOVER__HAND_BACK_AFTER_SECONDS must be below VALIDITY__INBOUND_CHAT_SECONDS: "
                "an event that waited that long would be too old to be answered"
            )


RULES: tuple[Callable[[Parts], Iterator[str]], ...] = (
    _lease,
    _agenda,
    _retry,
    _gates,
    _retention,
    _worker,
    _upstreams,
    _joins,
    _pacings,
    _cadences,
    _windows,
    _frequency,
    _takeovers,
)
