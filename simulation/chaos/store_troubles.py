"""A store that answers and does not do what it is asked to: full, refusing writes, its replica away, its clock set.

One of them at a time. What is done to the server is undone even when the server was away meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from redis.exceptions import RedisError

from simulation.chaos.stage import Stage
from worker.store.redis import ahead

_AGAIN_SECONDS = 0.5
_PAUSE_SECONDS = 0.1
# In leases. A full store lets what is under way go on, renewal included; one that refuses writes does not.
_FULL_LEASES, _REFUSED_LEASES, _REPLICA_LEASES = (0.5, 2.0), (0.3, 1.7), (0.5, 1.2)
# The clock begins a day ahead, so that it can step back for a whole run.
FIRST_LEAD_SECONDS = 86_400
_STEPS_BACK_SECONDS = (3600, 600, 90, 5)
# A lease that has run out by at most so much leaves its holder time to say that it lives (lua/begin.lua): a longer step
# forward is a time without any worker.
_STEPS_FORWARD_SECONDS = (240, 60, 20)


def full(stage: Stage, lease_seconds: float) -> None:
    """The store has no memory left."""
    if _told(stage, lambda: stage.admin.config_set("maxmemory", "1mb")):
        seconds = lease_seconds * stage.dice.uniform(*_FULL_LEASES)
        stage.incidents.note("store full")
        stage.store_is_well = False
        stage.later(seconds, lambda: _restore(stage, lambda: stage.admin.config_set("maxmemory", "0")))


def refused(stage: Stage, lease_seconds: float) -> None:
    """The store refuses all writes: its user may not write any more, or another server has become the master."""
    user_may_not = stage.dice.random() < 0.5
    strike: tuple[str, ...] = (
        ("ACL", "SETUSER", "default", "-@write") if user_may_not else ("REPLICAOF", "127.0.0.1", "1")
    )
    undo: tuple[str, ...] = ("ACL", "SETUSER", "default", "+@all") if user_may_not else ("REPLICAOF", "NO", "ONE")
    seconds = lease_seconds * stage.dice.uniform(*_REFUSED_LEASES)
    if _told(stage, lambda: _order(stage, strike)):
        stage.incidents.note("store refuses writes", "NOPERM" if user_may_not else "READONLY")
        stage.store_is_well = False
        stage.later(seconds, lambda: _restore(stage, lambda: _order(stage, undo)))


def replica_away(stage: Stage, lease_seconds: float) -> None:
    """The store must not write without its replica, and that is started again."""
    replica = stage.replica
    if replica is None or not _has_replica(stage):
        return
    if not _told(stage, lambda: stage.admin.config_set("min-replicas-to-write", "1")):
        return
    stage.store_is_well = False
    stage.incidents.note("replica away")
    replica.kill()

    def back() -> None:
        if not replica.running:
            replica.start()
        if _has_replica(stage):
            _restore(stage, lambda: stage.admin.config_set("min-replicas-to-write", "0"))
        else:
            stage.later(_PAUSE_SECONDS, back)
            time.sleep(0.01)

    stage.later(lease_seconds * stage.dice.uniform(*_REPLICA_LEASES), back)


def clock_step(stage: Stage) -> None:
    """The store's clock is set: back twice as often as forward."""
    back = stage.dice.random() < 2 / 3
    seconds = -stage.dice.choice(_STEPS_BACK_SECONDS) if back else stage.dice.choice(_STEPS_FORWARD_SECONDS)
    if _told(stage, lambda: ahead.advance(stage.admin, seconds)):
        stage.incidents.note("the store's clock steps " + ("back" if back else "forward"), f"{seconds:+d} s")


def _order(stage: Stage, words: tuple[str, ...]) -> None:
    stage.admin.execute_command(*words)  # type: ignore[no-untyped-call]


def _has_replica(stage: Stage) -> bool:
    try:
        info = stage.admin.info("replication")
    except RedisError:
        return False
    first = info.get("slave0")
    return isinstance(first, dict) and first.get("state") == "online"


def _told(stage: Stage, order: Callable[[], object]) -> bool:
    if not stage.store_is_well:
        return False
    try:
        order()
    except RedisError:
        return False
    return True


def _restore(stage: Stage, order: Callable[[], object]) -> None:
    try:
        order()
    except RedisError:
        stage.later(_AGAIN_SECONDS, lambda: _restore(stage, order))
        time.sleep(0.01)
        return
    stage.store_is_well = True
    stage.incidents.note("store well")
