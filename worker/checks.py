"""Whether the store and the settings can keep what they promise: pure findings, each with what to do.

Made by ``parley check`` and by every worker that starts (``worker.start_up``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from config.settings import Settings
from worker.store.server import Facts

Level = Literal["ok", "warning", "failure"]

OLDEST_VERSION = (6, 2)
# A beat's messages expire after 5 seconds by the clock of the worker that takes them.
LARGEST_SKEW_SECONDS = 2.0

UNSEEN = "cannot be seen: the server does not tell. "


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``means``: what was found and why it matters. ``remedy``: what to do, as a command or a setting.

    ``loses_data``: with this, accepted events are certain to be lost some day.
    """

    check: str
    level: Level
    means: str
    remedy: str = ""
    loses_data: bool = False


def of_settings(settings: Settings) -> list[Finding]:
    """What loaded settings say. That they load means that their times agree (``config.budgets``)."""
    target = settings.captivate
    where = f"host {urlsplit(target.base_url).hostname}" if target.base_url else f"environment {target.environment}"
    return [
        Finding("settings", "ok", f"loaded, their times agree; personas: {', '.join(sorted(settings.personas))}"),
        Finding("channel", "ok", f"answers go to {where}, as set"),
    ]


def unreachable(address: str, error: str) -> Finding:
    """The store gives no answer. ``error``: name of the kind of error."""
    return Finding(
        "store",
        "failure",
        f"{address} cannot be reached ({error}): nothing can be accepted or answered",
        f"start it, or correct PARLEY_REDIS_URL; try: redis-cli -h {address.partition(':')[0]} ping",
    )


def of_store(address: str, facts: Facts) -> list[Finding]:
    """What the server's own words mean."""
    durable = [_append_only(facts)] if facts.append_only is False else [_append_only(facts), _sync(facts)]
    return [
        Finding("store", "ok", f"{address} answers"),
        _version(facts),
        _mode(facts),
        *durable,
        _eviction(facts),
        _idle(facts),
        _clock(facts),
    ]


def _version(facts: Facts) -> Finding:
    if facts.version is None:
        return Finding("version", "warning", UNSEEN + "Redis 6.2 or newer, or Valkey, is needed", "ask its operator")
    numbers = tuple(int(number) for number in re.findall(r"\d+", facts.version)[:2])
    if numbers < OLDEST_VERSION:
        return Finding(
            "version",
            "failure",
            f"{facts.version} is too old: the scripts need commands of Redis 6.2",
            "update to Redis 6.2 or newer, or to Valkey",
        )
    return Finding("version", "ok", facts.product)


def _mode(facts: Facts) -> Finding:
    if facts.mode == "cluster":
        return Finding(
            "mode",
            "failure",
            "it is a cluster: this release speaks to a single server only",
            "give PARLEY_REDIS_URL a server that runs without cluster-enabled",
        )
    return Finding("mode", "ok", facts.mode or "not told, taken as a single server")


def _append_only(facts: Facts) -> Finding:
    if facts.append_only is None:
        return Finding(
            "append-only file",
            "warning",
            UNSEEN + "Without it a restart loses every event that waits",
            "make sure with its operator that appendonly is yes",
        )
    if not facts.append_only:
        return Finding(
            "append-only file",
            "failure",
            "off: a restart of the server loses every event that waits",
            "redis-cli CONFIG SET appendonly yes, and appendonly yes in its configuration file",
            loses_data=True,
        )
    if facts.append_only_writable is False:
        return Finding(
            "append-only file",
            "failure",
            "on, but its last write failed: the server takes no new events",
            "look at the server's log and its disk space: redis-cli INFO persistence",
        )
    return Finding("append-only file", "ok", "on: what is accepted survives a restart")


def _sync(facts: Facts) -> Finding:
    if facts.sync is None:
        return Finding(
            "appendfsync",
            "warning",
            UNSEEN + "It decides how much a power cut can take",
            "make sure with its operator that appendfsync is everysec or always",
        )
    if facts.sync == "no":
        return Finding(
            "appendfsync",
            "warning",
            "no: a power cut can take half a minute of accepted events",
            "redis-cli CONFIG SET appendfsync everysec",
        )
    window = "a power cut takes nothing"
    if facts.sync == "everysec":
        window = "a power cut can take the last second, or two while the disk is slow"
    return Finding("appendfsync", "ok", f"{facts.sync}: {window}")


def _eviction(facts: Facts) -> Finding:
    if facts.eviction is None:
        return Finding(
            "maxmemory-policy",
            "warning",
            UNSEEN + "Any policy but noeviction throws events away when memory is full",
            "make sure with its operator that maxmemory-policy is noeviction",
        )
    if facts.eviction != "noeviction":
        return Finding(
            "maxmemory-policy",
            "failure",
            f"{facts.eviction}: when its memory is full the server throws events away",
            "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in its configuration file",
            loses_data=True,
        )
    return Finding("maxmemory-policy", "ok", "noeviction: a full server refuses new events, it keeps the old ones")


def _idle(facts: Facts) -> Finding:
    if facts.idle_seconds is None:
        return Finding(
            "timeout",
            "warning",
            UNSEEN + "Any value but 0 closes the connections of idle workers",
            "make sure with its operator that timeout is 0",
        )
    if facts.idle_seconds:
        return Finding(
            "timeout",
            "warning",
            f"{facts.idle_seconds}: the server closes connections that were idle so many seconds; workers reconnect",
            "redis-cli CONFIG SET timeout 0",
        )
    return Finding("timeout", "ok", "0: idle connections stay open")


def _clock(facts: Facts) -> Finding:
    skew = facts.clock_skew_seconds
    said = f"the store's clock is {abs(skew):.1f} s {'ahead of' if skew >= 0 else 'behind'} this machine's"
    if abs(skew) < LARGEST_SKEW_SECONDS:
        return Finding("clock", "ok", said)
    return Finding(
        "clock",
        "warning",
        f"{said}: order does not depend on it, but times in logs do not compare, and messages of a beat whose clock is "
        "behind a worker's expire",
        "keep the clocks of all machines in step (NTP)",
    )
