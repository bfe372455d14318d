"""A script carries the shared definitions that it uses, and no others."""

from __future__ import annotations

import pytest
from redis import Redis

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.store.redis.lua_library import complete

LIBRARY = """\
-- What the numbers mean.
local LIMIT = 3

local function clock()
  return redis.call('TIME')
end

-- Uses the one before it.
local function late(at)
  return clock() > at + LIMIT
end

local function unused()
  return 1
end
"""


def carried_by(libraries: list[str], script: str) -> str:
    return complete(libraries, "", (), script).removesuffix(script)


def test_what_is_used_is_carried_with_all_that_it_uses_in_order():
    carried = carried_by([LIBRARY], "return late(ARGV[1])")
    assert [line for line in carried.splitlines() if line.startswith("local")] == [
        "local LIMIT = 3",
        "local function clock()",
        "local function late(at)",
    ]


def test_what_is_only_talked_about_is_not_carried():
    assert carried_by([LIBRARY], "-- never late, says the clock\nreturn 1") == ""


def test_what_is_only_said_in_a_string_is_not_carried():
    assert carried_by([LIBRARY], """return {'late', "clock", 'it\\'s late'}""") == ""
    assert "late" in carried_by([LIBRARY], "return {'late', late(1), 'late'}")


def test_a_part_of_a_name_is_another_name():
    assert carried_by([LIBRARY], "local clocks = 1\nreturn clocks") == ""


def test_a_later_library_may_use_an_earlier_one():
    later = "local function soon()\n  return late(1)\nend\n"
    assert carried_by([LIBRARY, later], "return soon()").startswith("local LIMIT = 3\n")


def answer(redis_server: EmbeddedRedis, script: str, library: str = LIBRARY) -> object:
    """What a server says to a script that is put together."""
    with Redis.from_url(redis_server.url) as redis:
        return redis.eval(complete([library], "", [], script), 0)


def test_what_is_rare_is_made_when_it_is_called_with_all_that_it_stands_on(redis_server):
    script = "if KEYS[1] then return rare.late(1) end return rare.unused()"
    text = complete([LIBRARY], "", [], script)
    assert answer(redis_server, script) == 1
    lines = text.splitlines()
    assert [line for line in lines if line.startswith(("local", "rarely"))] == [
        "local rarely",
        "local LIMIT = 3",
        "rarely = function(name)",
        "local function clock()",
        "local function late(at)",
        "local function unused()",
    ]
    assert lines[-1] == "if KEYS[1] then return rarely('late')(1) end return rarely('unused')()"


def test_what_is_also_used_otherwise_is_made_once(redis_server):
    script = "return {unused() + rare.unused()}"
    text = complete([LIBRARY], "", [], script)
    assert text.endswith("end\nreturn {unused() + unused()}")
    assert "rarely" not in text
    assert answer(redis_server, script) == [2]


def test_a_value_that_is_rarely_used_is_kept_between_two_calls(redis_server):
    library = "local calls = 0\nlocal function count()\n  calls = calls + 1\n  return calls\nend\n"
    assert answer(redis_server, "return rare.count() * 10 + rare.count()", library) == 12


def test_what_is_rare_may_say_that_something_else_is_rarer(redis_server):
    library = LIBRARY + "local function twice()\n  return rare.unused() * 2\nend\n"
    assert answer(redis_server, "return rare.twice()", library) == 2


def test_a_rare_name_that_no_library_has_is_refused():
    with pytest.raises(ValueError, match=r"rare\.soon"):
        complete([LIBRARY], "", [], "return rare.soon()")
