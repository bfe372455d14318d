"""Redis answers, and refuses: full, without its replicas or its disk, a replica itself, rights or password changed.

Workers and beat hold on, say it once, and go on; whoever has an answer in hand stores it before anybody asks again.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest
from redis import Redis

from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store, StoreError

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

LEADS = 8
CHAT = {"metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}}}
# They run out during the refusal, well before its end.
LEASE = {"PARLEY_LEASE__TTL_SECONDS": "3", "PARLEY_LEASE__RENEW_SECONDS": "1"}
REFUSED_SECONDS = 8.0

SET = ("CONFIG", "SET")
REPLICA, MASTER = ("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")
# What makes it refuse, what makes it take writes again.
REFUSALS = {
    "OOM": ([(*SET, "maxmemory", "100kb")], [(*SET, "maxmemory", "0")]),
    "NOREPLICAS": ([(*SET, "min-replicas-to-write", "1")], [(*SET, "min-replicas-to-write", "0")]),
    "READONLY": ([REPLICA], [MASTER]),
    "MASTERDOWN": (
        [(*SET, "replica-serve-stale-data", "no"), REPLICA],
        [MASTER, (*SET, "replica-serve-stale-data", "yes")],
    ),
    "MISCONF": (
        [(*SET, "save", "3600 1"), ("BGSAVE",)],
        [(*SET, "stop-writes-on-bgsave-error", "no"), (*SET, "save", "")],
    ),
    "NOPERM": ([("ACL", "SETUSER", "default", "-@write")], [("ACL", "SETUSER", "default", "+@all")]),
    "NOAUTH": ([(*SET, "requirepass", "x"), ("CLIENT", "KILL", "TYPE", "normal")], [(*SET, "requirepass", "")]),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("code", REFUSALS)
def test_everybody_holds_on_and_nobody_is_asked_twice(start, eventually, code):
    system, settings = start(
        settings={"PARLEY_JOIN__SETTLE_SECONDS": "0", **LEASE},
        workers=2,
        latency_seconds=2.0,
        worker_options=("-c", "20"),
    )
    refuse, allow = REFUSALS[code]
    if code == "MISCONF":
        # A snapshot that cannot be written.
        (system.redis.directory / "dump.rdb").mkdir()

    def answered(session):
        return system.upstreams.deliveries(session)

    with Producer(settings) as producer, Redis.from_url(system.redis.url) as redis:

        def say(name):
            channel = {"session_id": name, **CHAT}
            producer.enqueue(
                InboundChat(persona="ava", target=f"@{name}", message=name, event_id=name, channel=channel)
            )

        for number in range(LEADS):
            say(f"lead{number}")
        eventually(lambda: system.upstreams.summary()["fluidtalk"].calls == LEADS, "all are being asked")
        for words in refuse:
            redis.execute_command(*words)
        eventually(lambda: _refuses(system.redis.url), "it refuses")
        time.sleep(REFUSED_SECONDS)
        with pytest.raises(StoreError):
            say("new")
        for words in allow:
            redis.execute_command(*words)
        eventually(lambda: not _refuses(system.redis.url), "it takes writes again")
        say("new")
        eventually(
            lambda: all(map(answered, [*(f"lead{number}" for number in range(LEADS)), "new"])),
            "all answers",
            seconds=30,
        )
    asked = Counter(call.fields.get("message") for call in system.upstreams.calls() if call.service == "fluidtalk")
    assert set(asked.values()) == {1}, "somebody was asked twice"
    assert [process.poll() for process in (*system.workers, *system.beats)] == [None] * 3
    store = Store(settings)
    (account,) = store.books.accounts()
    store.close()
    assert (account.answered, account.dead, account.unexplained) == (LEADS + 1, 0, 0)
    logs = system.log_of("worker", 0) + system.log_of("worker", 1) + system.log_of("beat")
    assert f"({code})" in logs, logs
    assert "Traceback" not in logs
    # Each process says it once, and once more after ten seconds.
    told = [line for line in system.log_of("beat").splitlines() if "waits for it" in line and f"({code})" in line]
    assert len(told) <= 2


def _refuses(url):
    with Redis.from_url(url) as redis:
        try:
            redis.hset("probe", "field", "value")
        except StoreError:
            return True
    return False
