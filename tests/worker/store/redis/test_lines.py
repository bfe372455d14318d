"""The connections of the hot path: used again, never trusted after a failure, and what fails is sent another way."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
from redis import Redis, exceptions

from simulation.servers.embedded_redis import free_port
from worker.store.faces.face import face
from worker.store.keys import Key
from worker.store.redis.lines import LineBroken, Lines
from worker.store.redis.scripts import Script


@face()
def count(*, counter: Key) -> Any:
    """Count one more."""


@pytest.fixture
def lines(store):
    """Two lines to the store's server."""
    made = Lines(store.redis, 2)
    yield made
    made.close()


def address_of(lines):
    return lines.run(["CLIENT", "ID"])


def test_calls_that_follow_each_other_use_one_connection(lines):
    assert {address_of(lines) for _ in range(5)} == {address_of(lines)}


def test_what_goes_out_comes_back_as_it_was(lines):
    said = ["", "a b\r\nc", "żółć 🎉", "half \udce4 byte", "$5\r\n"]
    assert lines.run(["EVAL", "return ARGV", 0, *said, 7]) == [*said, "7"]
    assert lines.run(["EVAL", "return {1, false, {'x'}}", 0]) == [1, None, ["x"]]


def test_a_long_answer_comes_in_pieces(lines):
    assert lines.run(["EVAL", "return {string.rep('a', 100000), string.rep('b', 100000)}", 0]) == [
        "a" * 100_000,
        "b" * 100_000,
    ]


def test_what_the_server_says_by_itself_is_no_answer(lines, store):
    lines.run(["CLIENT", "TRACKING", "ON"])
    lines.run(["GET", "watched"])
    store.redis.set("watched", "changed")
    assert lines.run(["ECHO", "first"]) == "first"
    assert lines.run(["ECHO", "second"]) == "second"


def test_threads_wait_for_a_free_one_and_there_are_never_more(lines, store):
    before = len(store.redis.client_list())
    threads = [threading.Thread(target=lines.run, args=(["BLPOP", "nothing", "0.05"],)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(store.redis.client_list()) <= before + 2
    assert lines.run(["PING"]) == "PONG"


def test_a_refused_command_leaves_the_connection_as_it_was(lines):
    first = address_of(lines)
    with pytest.raises(exceptions.ResponseError):
        lines.run(["HGET", "too few"])
    with pytest.raises(exceptions.NoScriptError):
        lines.run(["EVALSHA", "0" * 40, 0])
    assert address_of(lines) == first


def test_a_broken_connection_says_so_once_and_is_replaced(lines, store):
    first = address_of(lines)
    store.redis.client_kill_filter(_id=first)
    with pytest.raises(LineBroken):
        lines.run(["PING"])
    assert address_of(lines) > first


def test_a_script_whose_connection_broke_runs_all_the_same(lines, store):
    script = Script(store.redis, lambda: count.preamble + "return redis.call('INCR', counter)", count, lines)
    assert script.run(counter="counted") == 1
    store.redis.client_kill_filter(_id=address_of(lines))
    assert script.run(counter="counted") == 2


def test_a_server_that_does_not_answer_in_time_does_not_hold_the_thread(store):
    known = store.redis.connection_pool.connection_kwargs
    lines = Lines(Redis(host=known["host"], port=known["port"], socket_timeout=0.2), 1)
    started_at = time.monotonic()
    with pytest.raises(LineBroken):
        lines.run(["BLPOP", "nothing", "5"])
    assert time.monotonic() - started_at > 0.1
    assert lines.run(["ECHO", "later"]) in ("later", b"later"), "the answer to another command is never taken"
    lines.close()


def test_without_a_server_it_says_so():
    with pytest.raises(exceptions.ConnectionError):
        Lines(Redis(port=free_port()), 1).run(["PING"])


def test_a_forked_process_has_lines_of_its_own(lines):
    first = address_of(lines)
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.write(writable, str(address_of(lines)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(readable, 20)) != first
    assert address_of(lines) == first
    os.close(readable)
    os.close(writable)


def test_a_child_process_makes_lines_of_its_own(lines, monkeypatch):
    """What its parent has open is its parent's."""
    mine = address_of(lines)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert address_of(lines) != mine


def test_a_line_without_a_time_limit_waits_for_its_answer(store):
    with Redis(connection_pool=None, **_patient(store)) as patient:
        made = Lines(patient, 1)
        assert made.run(["BLPOP", "nothing", "0.2"]) is None
        made.close()


def _patient(store):
    known = store.redis.connection_pool.connection_kwargs
    return {"host": known["host"], "port": known["port"], "decode_responses": True, "socket_timeout": None}
