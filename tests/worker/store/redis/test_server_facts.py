"""What a server says of itself, as far as it may be asked."""

from __future__ import annotations

import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ResponseError
from redis.retry import Retry

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.store.redis.server_facts import facts


def test_a_server_that_does_not_answer_a_question_may_still_be_a_good_one(store, monkeypatch):
    """The command is renamed, or our user may not."""

    def refuse(*_):
        raise ResponseError("unknown command")

    monkeypatch.setattr(store.redis, "config_get", refuse)
    assert facts(store.redis).idle_seconds is None
    assert facts(store.redis).replicas == 0


def test_a_server_that_still_loads_its_data_tells_nothing(tmp_path, eventually):
    """It says that it writes no append-only file then, and a worker that believed it would not start."""
    with EmbeddedRedis(tmp_path) as server, redis.Redis(port=server.port) as client:
        for number in range(300):
            client.set(f"key-{number}", "x" * 1000)
        client.bgrewriteaof()
        eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "a rewritten file")
        port = server.port
    told, refused = [], []
    asking = threading.Thread(target=_ask_until_it_tells, args=(port, told, refused))
    asking.start()
    slow = {"key-load-delay": "2000", "loading-process-events-interval-bytes": "1024"}
    with EmbeddedRedis(tmp_path, port, options=slow):
        asking.join()
    assert refused
    assert told == [True]


def _ask_until_it_tells(port, told, refused):
    deadline = time.monotonic() + 30
    with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as client:
        while not told and time.monotonic() < deadline:
            try:
                told.append(facts(client).append_only)
            except BusyLoadingError as error:
                refused.append(error)
            except redis.ConnectionError:
                pass
