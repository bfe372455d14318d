"""The arithmetic between times. Settings that break it are refused when they are loaded, not discovered at night."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.settings import Join, Settings


def faults(settings: Settings) -> list[str]:
    """All broken rules, each as a sentence that names the settings and the reason. Empty when all hold."""
    rules = [
        (
            settings.lease.renew_seconds * 3 <= settings.lease.ttl_seconds,
            "LEASE__RENEW_SECONDS x 3 must not exceed LEASE__TTL_SECONDS: "
            "one slow or lost renewal must not cost a running turn its lease",
        ),
        (
            settings.agenda.tick_seconds <= settings.lease.ttl_seconds,
            "AGENDA__TICK_SECONDS must not exceed LEASE__TTL_SECONDS: "
            "a crashed turn would be found late by more than its lease",
        ),
        (
            settings.agenda.grace_seconds <= settings.agenda.grace_limit_seconds,
            "AGENDA__GRACE_SECONDS must not exceed AGENDA__GRACE_LIMIT_SECONDS: the pause between rings grows to it",
        ),
        (
            settings.retry.pause_seconds <= settings.retry.pause_limit_seconds,
            "RETRY__PAUSE_SECONDS must not exceed RETRY__PAUSE_LIMIT_SECONDS: pauses grow from one to the other",
        ),
        (
            settings.gates.probe_seconds <= settings.gates.probe_limit_seconds,
            "GATES__PROBE_SECONDS must not exceed GATES__PROBE_LIMIT_SECONDS: intervals grow from one to the other",
        ),
        (
            settings.retention.settled_seconds >= 86_400,
            "RETENTION__SETTLED_SECONDS must be at least 86400: it is also the window in which an event sent twice is "
            "recognised, and senders repeat for a day",
        ),
        (
            settings.retention.dead_seconds >= settings.retention.settled_seconds,
            "RETENTION__DEAD_SECONDS must not be below RETENTION__SETTLED_SECONDS: dead letters wait for a person",
        ),
    ]
    found = [sentence for holds, sentence in rules if not holds]
    for upstream, times in (("FLUIDTALK", settings.fluidtalk), ("CAPTIVATE", settings.captivate)):
        if times.total_seconds < max(times.connect_seconds, times.read_seconds):
            found.append(
                f"{upstream}__TOTAL_SECONDS must not be below {upstream}__CONNECT_SECONDS or {upstream}__READ_SECONDS: "
                "the whole call contains both"
            )
    found += _join_faults("JOIN", settings.join)
    for name, persona in settings.personas.items():
        if persona.join:
            found += _join_faults(f"PERSONAS__{name.upper()}__JOIN", settings.join_of(name))
    return found


def _join_faults(place: str, join: Join) -> list[str]:
    if join.settle_seconds <= join.settle_limit_seconds:
        return []
    return [f"{place}__SETTLE_SECONDS must not exceed {place}__SETTLE_LIMIT_SECONDS: the limit is the longest wait"]
