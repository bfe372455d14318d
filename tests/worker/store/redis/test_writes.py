"""Why a store takes no writes, and how much memory it has left. To ask changes nothing."""

from __future__ import annotations

import pytest

from simulation.servers.embedded_redis import EmbeddedRedis
from tests.socket_server import Server
from worker.store import Store, StoreError
from worker.store.redis.writes import Memory, memory


@pytest.fixture(scope="module")
def redis_server():
    """One of our own, to be spoiled."""
    with EmbeddedRedis() as server:
        yield server


def test_a_good_store_takes_writes_and_is_not_changed(store):
    before = store.redis.dbsize()
    assert store.refusal() is None
    assert store.redis.dbsize() == before


@pytest.mark.parametrize(
    ("spoil", "mend", "code"),
    [
        (("maxmemory", "100kb"), ("maxmemory", "0"), "OOM"),
        (("min-replicas-to-write", "1"), ("min-replicas-to-write", "0"), "NOREPLICAS"),
    ],
)
def test_a_store_that_takes_none_says_why(store, spoil, mend, code):
    store.redis.config_set(*spoil)
    try:
        assert store.refusal().code == code
        assert store.measures.take().refusal.code == code, "what it holds can be read all the same"
    finally:
        store.redis.config_set(*mend)


def test_a_replica_takes_none(store):
    store.redis.replicaof("127.0.0.1", 1)
    try:
        assert store.refusal().code == "READONLY"
    finally:
        store.redis.replicaof("NO", "ONE")


def test_a_disk_that_cannot_be_written_is_told_over_new_connections_too(store, redis_server, make_store, eventually):
    (redis_server.directory / "dump.rdb").mkdir()
    store.redis.config_set("save", "3600 1")
    store.redis.bgsave()
    try:
        eventually(lambda: store.refusal() and store.refusal().code == "MISCONF", "the refusal")
        assert make_store().measures.take().refusal.code == "MISCONF"
    finally:
        store.redis.config_set("save", "")


def test_memory_is_told_with_its_limit_and_policy(store):
    without = memory(store.redis)
    assert (without.limit_bytes, without.share, without.evicts) == (0, 0.0, False)
    assert without.told.endswith(" MB used, no limit is set")
    store.redis.config_set("maxmemory", "100mb")
    try:
        limited = memory(store.redis)
    finally:
        store.redis.config_set("maxmemory", "0")
    assert 0 < limited.share < 0.5
    assert " MB of 100.0 MB (" in limited.told


def test_a_server_that_hides_itself_tells_no_memory(store, redis_server, make_store):
    store.redis.acl_setuser("few", enabled=True, nopass=True, keys="*", categories=["+@all"], commands=["-info"])
    few = make_store(redis_url=redis_server.url.replace("redis://", "redis://few:x@"))
    assert memory(few.redis) is None


def test_any_policy_but_one_evicts():
    assert [Memory(1, 2, policy).evicts for policy in ("noeviction", "", "allkeys-lru")] == [False, False, True]


def test_a_server_that_cannot_be_reached_is_an_error_and_no_answer(make_settings):
    away = Store(make_settings(redis_url="redis://127.0.0.1:1/0"))
    for ask in (away.refusal, lambda: memory(away.redis)):
        with pytest.raises(StoreError):
            ask()


def test_a_server_whose_answer_has_no_figures_tells_no_memory(make_store):
    """A proxy of a managed server answers INFO with nothing."""

    def says_nothing(connection):
        while asked := connection.recv(65536):
            answer = b"%1\r\n$5\r\nproto\r\n:3\r\n" if b"HELLO" in asked else b"$0\r\n\r\n"
            connection.sendall(answer * max(1, asked.count(b"CLIENT")))

    server = Server(says_nothing)
    try:
        assert memory(make_store(redis_url=f"redis://127.0.0.1:{server.port}/0").redis) is None
    finally:
        server.close()
