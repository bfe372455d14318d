"""Who is alive, who is gone and how: from signs, goodbyes and connections."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.exceptions import ReadOnlyError

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.store.heartbeats import KEY, SERVED, Served


@pytest.fixture(scope="module")
def redis_server():
    """One of our own: its memory is used up."""
    with EmbeddedRedis() as server:
        yield server


def test_who_signed_is_alive_and_who_says_goodbye_is_gone_at_once(store):
    store.processes.sign("worker", 60)
    store.processes.sign("beat", 60)
    assert (store.processes.alive().workers, store.processes.alive().beats) == (1, 1)
    store.processes.leave("worker")
    alive = store.processes.alive()
    assert (alive.workers, alive.beats) == (0, 1)
    assert alive.last("worker").state == "stopped"
    assert alive.last("beat") is None


def test_a_silent_process_that_keeps_its_connection_is_frozen_and_one_that_lost_it_is_dead(store, redis_server):
    other = Redis.from_url(redis_server.url)
    other.client_setname("parley-worker:host:7")
    store.redis.zadd(
        KEY, {"worker host:7 reply-names": 1, "worker host:8 reply-names": 2, "beat host:9 reply-names": 3}
    )
    states = {gone.name: gone.state for gone in store.processes.alive().gone}
    assert states == {"host:7": "frozen", "host:8": "dead", "host:9": "dead"}
    assert store.processes.alive().last("worker").name == "host:8"
    other.close()
    assert {gone.state for gone in store.processes.alive().gone} == {"dead"}


def break_connections(redis_server):
    with Redis.from_url(redis_server.url) as other:
        other.client_kill_filter(_type="normal", skipme=True)


def of_this_process(store):
    """How it is told when its sign has run out."""
    (sign,) = store.redis.zrange(KEY, 0, -1)
    store.redis.zadd(KEY, {sign: 1})
    (gone,) = store.processes.alive().gone
    return gone.state


def test_connections_that_replace_broken_ones_tell_that_a_process_is_frozen(store, redis_server):
    store.processes.sign("worker", 60)
    break_connections(redis_server)
    assert of_this_process(store) == "frozen"


def test_a_process_that_froze_just_after_it_could_not_sign_is_frozen(store, redis_server, make_store):
    store.processes.sign("worker", 60)
    looks_on = make_store()
    looks_on.redis.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ReadOnlyError):
            store.processes.sign("worker", 60)
    finally:
        looks_on.redis.replicaof("NO", "ONE")
    assert of_this_process(looks_on) == "frozen"


def test_a_user_who_may_not_name_connections_signs_and_connects_again(store, redis_server, make_store):
    rights = {"categories": ["+@all"], "commands": ["-client|setname"]}
    store.redis.acl_setuser("nameless", enabled=True, nopass=True, keys="*", **rights)
    nameless = make_store(redis_url=redis_server.url.replace("redis://", "redis://nameless:x@"))
    nameless.processes.sign("worker", 60)
    break_connections(redis_server)
    assert nameless.processes.alive().workers == 1


def test_a_user_who_may_not_see_connections_is_not_told_which_it_is(store, redis_server, make_store):
    store.redis.acl_setuser("few", enabled=True, nopass=True, keys="*", categories=["+@all"], commands=["-client|list"])
    store.redis.zadd(KEY, {"worker host:7 reply-names": 1})
    few = make_store(redis_url=redis_server.url.replace("redis://", "redis://few:x@"))
    assert [gone.state for gone in few.processes.alive().gone] == ["silent"]


def test_what_was_silent_for_a_day_is_forgotten(store):
    store.redis.zadd(KEY, {"worker host:7 reply-names": 1})
    store.processes.sign("beat", 60)
    assert store.processes.alive().gone == ()


def test_a_full_store_takes_signs(store):
    store.redis.config_set("maxmemory", "100kb")
    try:
        store.processes.sign("worker", 60, Served(("ava",), "dev"))
        store.processes.sign("beat", 60)
    finally:
        store.redis.config_set("maxmemory", "0")
    alive = store.processes.alive()
    assert (alive.workers, alive.beats) == (1, 1)
    assert store.redis.zcard(SERVED) == 2
