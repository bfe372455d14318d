"""Connections to the store: a socket of the file system is as good as a port."""

from __future__ import annotations

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.domain.conversation import Conversation
from worker.store import Store


def test_a_store_behind_a_socket_of_the_file_system(make_settings):
    with EmbeddedRedis(options={"unixsocket": "redis.sock"}) as server:
        store = Store(make_settings(redis_url=f"unix://{server.directory}/redis.sock"))
        store.ping()
        assert store.steps.begin(Conversation("ava", "@john"), "a token").status == "empty"
        store.close()
