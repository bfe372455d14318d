"""Whether the store and the settings can keep what they promise: pure findings, each with what to do.

Made by ``parley check`` and by every worker that starts (``worker.processes.start_up``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from config.addresses import Address
from config.settings import Settings
from worker.domain.diagnoses import store_fills_up, store_refuses, unread_queues
from worker.store.notice_rights import Refused
from worker.store.operator.key_rotation import Tally
from worker.store.personas.apis import Change
from worker.store.redis.layout import Layout
from worker.store.redis.server_facts import Facts
from worker.store.redis.troubles import Trouble
from worker.store.redis.writes import Memory

Level = Literal["ok", "warning", "failure"]
_LEVELS: tuple[Level, ...] = ("ok", "warning", "failure")

OLDEST_VERSION = (6, 2)
# No decision depends on it. From here on times in logs of different machines are hard to compare.
LARGEST_SKEW_SECONDS = 2.0

UNSEEN = "cannot be seen: the server does not show it. "


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``means``: what was found and why it matters. ``remedy``: what to do, as a command or a setting.

    ``loses_data``: with this, accepted events will be lost some day. ``forbids_work``: no worker may use the store.
    """

    check: str
    level: Level
    means: str
    remedy: str = ""
    loses_data: bool = False
    forbids_work: bool = False


def of_settings(settings: Settings) -> list[Finding]:
    """The finding about loaded settings. Settings only load if their times agree (``config.budgets``)."""
    target = settings.captivate
    where = f"host {urlsplit(target.base_url).hostname}" if target.base_url else f"environment {target.environment}"
    return [
        Finding("settings", "ok", f"loaded, their times agree; personas: {', '.join(sorted(settings.personas))}"),
        _of_keys(settings.key_origins),
        Finding("channel", "ok", f"answers go to {where}, as set"),
    ]


def _of_keys(origins: Mapping[str, str]) -> Finding:
    told = "; ".join(f"{persona} from {origin}" for persona, origin in sorted(origins.items()))
    if "is not used" not in told:
        return Finding("keys", "ok", told)
    return Finding("keys", "warning", told, "keep one of the two keys")


def of_encryption(writes_with: str, sample: Tally) -> Finding:
    """Whether stored content can be read and is encrypted as it should be.

    ``writes_with``: the key that encrypts, '' = none. ``sample``: of what is stored.
    """
    if sample.undecryptable:
        (reason, _), *_ = sample.undecryptable.most_common(1)
        return Finding(
            "encryption",
            "failure",
            f"{sum(sample.undecryptable.values())} of {sum(sample.by_key.values())} stored texts looked at cannot be "
            f"read, and their events wait: {reason}",
            "give this process the missing key, too: PARLEY_ENCRYPTION__KEYS (docs/encryption.md)",
        )
    others = sum(count for key, count in sample.by_key.items() if key != writes_with)
    how = f"content is encrypted with key {writes_with}" if writes_with else "off: content is stored as it is"
    if not others:
        return Finding("encryption", "ok", how)
    return Finding(
        "encryption",
        "warning",
        f"{how}; {others} of {sum(sample.by_key.values())} stored texts looked at are not yet so",
        "parley rotate-keys, when all processes have these keys",
    )


def of_layout(layout: Layout) -> Finding:
    """Whether the store was made with the number of shards that is set."""
    if layout.agrees:
        return Finding("shards", "ok", f"{layout.wanted}, as the store was made with")
    return Finding("shards", "failure", layout.fault, layout.remedy, forbids_work=True)


_NAMINGS = {
    "handshake": "the Handshake API",
    "characters": "the Characters API",
    "separate accounts": "the Characters API with separate accounts",
}


def of_apis(changes: Sequence[Change]) -> list[Finding]:
    """Whether events wait under the names of an API that their persona has no more."""
    return [_of_api(change) for change in changes]


def _of_api(change: Change) -> Finding:
    persona = change.persona
    said = f"persona {persona} changes from {_NAMINGS[change.before]} to {_NAMINGS[change.now]}"
    if not change.events and change.before == "handshake":
        # Also one that is new: only the other APIs are written down.
        said = f"persona {persona} starts with {_NAMINGS[change.now]}"
        return Finding("api", "ok", f"{said}, and nothing waits for it under names of {_NAMINGS[change.before]}")
    if not change.events:
        return Finding("api", "ok", f"{said}, and nothing waits for it under its old names")
    return Finding(
        "api",
        "failure",
        f"{said}. Events that wait for it under its old names: {change.events}, in conversations: "
        f"{change.conversations}. The names change with it: a lead would have two conversations, without order "
        "between them",
        f"give {persona} its former settings again (key, api, separate_accounts), and change them when parley status "
        "shows nothing waiting for it; or give the new ones to a persona with a new name (docs/which-fluidtalk.md)",
        forbids_work=True,
    )


def unreachable(address: Address, error: str) -> Finding:
    """The store gives no answer. ``error``: name of the kind of error."""
    if address.kind == "sentinel":
        what = f"no Sentinel of {address.shown} names a master that answers"
        ask = f"redis-cli -h HOST -p 26379 sentinel get-master-addr-by-name {address.service}"
    else:
        what = f"{address.shown} cannot be reached"
        host, port = address.hosts[0] if address.hosts else ("HOST", 6379)
        ask = f"redis-cli -h {host} -p {port} " + ("cluster info" if address.kind == "cluster" else "ping")
    return Finding(
        "store",
        "failure",
        f"{what} ({error}): nothing can be accepted or answered",
        f"start it, or correct PARLEY_REDIS_URL; try: {ask}",
    )


def refusing(address: Address, trouble: Trouble) -> Finding:
    """The store answers every command with an error."""
    said = f"{address.shown} {trouble.means} ({trouble.code}): nothing can be accepted or answered"
    return Finding("store", "failure", said, trouble.remedy)


def of_broker(address: Address, trouble: str) -> Finding:
    """A broker that is not the store. ``trouble``: name of the kind of error, or ''."""
    if not trouble:
        return Finding("broker", "ok", f"{address.shown} answers, its queues can be used")
    if trouble == "PreconditionFailed":
        return Finding(
            "broker",
            "failure",
            f"{address.shown} has a queue turns, outreach, schedule or accept of another kind: workers wait",
            "empty accept, then delete those queues (doorbells hold nothing); producers must declare accept as a "
            "quorum queue",
        )
    return Finding(
        "broker",
        "failure",
        f"{address.shown} cannot be used ({trouble}): events are accepted and wait, no turn begins",
        "start it, or correct PARLEY_BROKER_URL; look at the rights of its user",
    )


def of_writes(refusal: Trouble | None) -> Finding:
    """Whether the store takes writes. ``refusal``: why it does not."""
    if refusal is None:
        return Finding("writes", "ok", "the store takes them")
    said = store_refuses(refusal.code, refusal.means, refusal.remedy)
    return Finding("writes", "failure", said.what, said.do)


def of_memory(memory: Memory | None) -> Finding:
    """How much memory the store has left. None: it does not tell."""
    if memory is None:
        return Finding("memory", "warning", UNSEEN + "A full store takes no new events", "ask its operator")
    if not memory.limit_bytes:
        return Finding("memory", "ok", f"{memory.told}: the memory of its machine is the limit")
    if not memory.fills_up:
        return Finding("memory", "ok", memory.told)
    said = store_fills_up(memory.told)
    return Finding("memory", "warning", said.what, said.do)


def of_queues(unread: Mapping[str, int], *, complete: bool) -> Finding:
    """Whether messages wait in queues that no worker reads. ``unread``: by queue. ``complete``: all were seen."""
    if unread:
        said = unread_queues(unread)
        return Finding("queues", "warning", said.what, f"{said.do} (docs/alerts/{said.page}.md)")
    if complete:
        return Finding("queues", "ok", "no message lies in a queue that no worker reads")
    return Finding(
        "queues", "ok", "no message lies in the queues that can be seen; further ones: see docs/alerts/queue-unread.md"
    )


def of_notices(refused: Sequence[Refused]) -> list[Finding]:
    """Whether the store lets notices be kept and read. ``refused``: what it does not permit to its user."""
    if not refused:
        return []
    commands, effects, grants = (
        dict.fromkeys(getattr(each, part) for each in refused) for part in ("command", "means", "grant")
    )
    return [
        Finding(
            "notices",
            "failure",
            f"the user of the store may not use {', '.join(commands)}: {'; '.join(effects)}",
            f"redis-cli ACL SETUSER USER {' '.join(grants)}, and the same in its ACL file (docs/stores.md, users with "
            "few rights)",
        )
    ]


def of_store(address: Address, servers: Mapping[str, Facts]) -> list[Finding]:
    """The findings about servers. ``servers``: their facts by address; in a cluster all masters, else one server."""
    if address.kind != "cluster":
        (facts,) = servers.values()
        return [Finding("store", "ok", f"{address.shown} answers"), *_of_server(address, facts)]
    worst: dict[str, Finding] = {}
    for name, facts in servers.items():
        for finding in _of_server(address, facts):
            known = worst.get(finding.check)
            if known is None or _LEVELS.index(finding.level) > _LEVELS.index(known.level):
                named = f"{name}: {finding.means}" if finding.level != "ok" else finding.means
                worst[finding.check] = replace(finding, means=named)
    return [Finding("store", "ok", f"{address.shown} answers, {len(servers)} masters"), *worst.values()]


def _of_server(address: Address, facts: Facts) -> list[Finding]:
    durable = [_append_only(facts)] if facts.append_only is False else [_append_only(facts), _sync(facts)]
    return [
        _version(facts),
        _mode(address, facts),
        *durable,
        _eviction(facts),
        _idle(facts),
        *([] if address.kind == "redis" else [_fail_over(facts)]),
        _clock(facts),
    ]


def _fail_over(facts: Facts) -> Finding:
    if facts.replicas is None:
        said = UNSEEN + "Without a replica there is nothing to fail over to"
        return Finding("fail-over", "warning", said, "ask its operator")
    if not facts.replicas:
        return Finding(
            "fail-over",
            "warning",
            "the master has no replica: if it fails, there is nothing to fail over to",
            "start a replica: replicaof HOST PORT",
        )
    count = f"{facts.replicas} replica{'s' if facts.replicas > 1 else ''}"
    if not facts.replicas_needed:
        said = f"{count}; if it fails, what it had not sent them is lost (docs/stores.md: min-replicas-to-write)"
        return Finding("fail-over", "ok", said)
    return Finding("fail-over", "ok", f"{count}; it takes new events only while {facts.replicas_needed} keep up")


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


def _mode(address: Address, facts: Facts) -> Finding:
    if facts.mode == "cluster" and address.kind != "cluster":
        return Finding(
            "mode",
            "failure",
            "it is a node of a Redis Cluster, but PARLEY_REDIS_URL names it as a single server",
            "PARLEY_REDIS_URL=redis+cluster://HOST:PORT,HOST:PORT and PARLEY_BROKER_URL for the doorbells",
        )
    return Finding("mode", "ok", facts.mode or "not shown, taken as a single server")


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
            UNSEEN + "It decides how much a power cut can lose",
            "make sure with its operator that appendfsync is everysec or always",
        )
    if facts.sync == "no":
        return Finding(
            "appendfsync",
            "warning",
            "no: a power cut can lose the accepted events of 30 s",
            "redis-cli CONFIG SET appendfsync everysec",
        )
    window = "a power cut loses nothing"
    if facts.sync == "everysec":
        window = "a power cut can lose the last second, or two while the disk is slow"
    return Finding("appendfsync", "ok", f"{facts.sync}: {window}")


def _eviction(facts: Facts) -> Finding:
    if facts.eviction is None:
        return Finding(
            "maxmemory-policy",
            "warning",
            UNSEEN + "With any policy but noeviction the server deletes events when its memory is full",
            "make sure with its operator that maxmemory-policy is noeviction",
        )
    if facts.eviction != "noeviction":
        return Finding(
            "maxmemory-policy",
            "failure",
            f"{facts.eviction}: when its memory is full the server deletes events",
            "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in its configuration file",
            loses_data=True,
        )
    return Finding("maxmemory-policy", "ok", "noeviction: a full server takes no new events, and running turns finish")


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
            f"{facts.idle_seconds}: the server closes connections after that many idle seconds; workers reconnect",
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
        f"{said}: order and recovery do not depend on it, but times in logs of different machines cannot be compared",
        "keep the clocks of all machines in step (NTP)",
    )
