"""The arithmetic between times. Settings that break it are refused when they are loaded, not discovered at night."""

from __future__ import annotations

from collections.abc import Mapping

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
    Worker,
)


def faults(
    lease: Lease,
    agenda: Agenda,
    retry: Retry,
    gates: Gates,
    retention: Retention,
    worker: Worker,
    *,
    upstreams: Mapping[str, FluidTalk | Captivate],
    joins: Mapping[str, Join],
    pacings: Mapping[str, Pacing],
    cadences: Mapping[str, FollowUps],
    takeovers: Mapping[str, Takeover],
    validity: Validity,
) -> list[str]:
    """All broken rules, each as a sentence that names the settings and the reason. Empty when all hold.

    ``upstreams``: by the name of their section. ``joins``, ``pacings``, ``cadences`` and ``takeovers``: by what stands
    before ``JOIN``, ``PACING``, ``FOLLOW_UPS`` and ``TAKEOVER`` in their variables.
    """
    rules = [
        (
            lease.renew_seconds * 3 <= lease.ttl_seconds,
            "LEASE__RENEW_SECONDS x 3 must not exceed LEASE__TTL_SECONDS: "
            "one slow or lost renewal must not cost a running turn its lease",
        ),
        (
            agenda.tick_seconds <= lease.ttl_seconds,
            "AGENDA__TICK_SECONDS must not exceed LEASE__TTL_SECONDS: "
            "a crashed turn would be found late by more than its lease",
        ),
        (
            agenda.grace_seconds <= agenda.grace_limit_seconds,
            "AGENDA__GRACE_SECONDS must not exceed AGENDA__GRACE_LIMIT_SECONDS: the pause between rings grows to it",
        ),
        (
            retry.pause_seconds <= retry.pause_limit_seconds,
            "RETRY__PAUSE_SECONDS must not exceed RETRY__PAUSE_LIMIT_SECONDS: pauses grow from one to the other",
        ),
        (
            retry.retry_after_limit_seconds < retry.age_seconds,
            "RETRY__RETRY_AFTER_LIMIT_SECONDS must be below RETRY__AGE_SECONDS: "
            "one pause that the server asks for must not use up the budget of an event",
        ),
        (
            gates.probe_seconds <= gates.probe_limit_seconds,
            "GATES__PROBE_SECONDS must not exceed GATES__PROBE_LIMIT_SECONDS: intervals grow from one to the other",
        ),
        (
            retention.settled_seconds >= 86_400,
            "RETENTION__SETTLED_SECONDS must be at least 86400: it is also the window in which an event sent twice is "
            "recognised, and senders repeat for a day",
        ),
        (
            retention.dead_seconds >= retention.settled_seconds,
            "RETENTION__DEAD_SECONDS must not be below RETENTION__SETTLED_SECONDS: dead letters wait for a person",
        ),
        (
            worker.stuck_seconds > sum(times.total_seconds for times in upstreams.values()) + worker.store_wait_seconds,
            "WORKER__STUCK_SECONDS must exceed FLUIDTALK__TOTAL_SECONDS + CAPTIVATE__TOTAL_SECONDS + "
            "WORKER__STORE_WAIT_SECONDS: one slow turn must not be taken for a stuck worker",
        ),
    ]
    found = [sentence for holds, sentence in rules if not holds]
    for upstream, times in upstreams.items():
        if times.total_seconds < max(times.connect_seconds, times.read_seconds):
            found.append(
                f"{upstream}__TOTAL_SECONDS must not be below {upstream}__CONNECT_SECONDS or {upstream}__READ_SECONDS: "
                "the whole call contains both"
            )
    for place, join in joins.items():
        if join.settle_seconds > join.settle_limit_seconds:
            found.append(
                f"{place}JOIN__SETTLE_SECONDS must not exceed {place}JOIN__SETTLE_LIMIT_SECONDS: "
                "the limit is the longest wait"
            )
    for place, pacing in pacings.items():
        if pacing.minimum_seconds > pacing.maximum_seconds:
            found.append(
                f"{place}PACING__MINIMUM_SECONDS must not exceed {place}PACING__MAXIMUM_SECONDS: "
                "every pause lies between them"
            )
    for place, cadence in cadences.items():
        if cadence.late_limit_seconds < 60:
            found.append(
                f"{place}FOLLOW_UPS__LATE_LIMIT_SECONDS must be at least 60: "
                "a beat that takes over from another one may be late by 15 s, and a busy persona by more"
            )
    found += _of_takeovers(takeovers, validity)
    return found


def _of_takeovers(takeovers: Mapping[str, Takeover], validity: Validity) -> list[str]:
    return [
        f"{place}TAKEOVER__HAND_BACK_AFTER_SECONDS must be below VALIDITY__INBOUND_CHAT_SECONDS: "
        "whatever waited so long would be too old to be answered"
        for place, takeover in takeovers.items()
        if (takeover.hand_back_after_seconds or 0) >= validity.inbound_chat_seconds
    ]
