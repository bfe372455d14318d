"""A script carries the shared definitions that it uses, and no others."""

from __future__ import annotations

from worker.store.redis.lua_library import needed

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


def test_what_is_used_is_carried_with_all_that_it_uses_in_order():
    carried = needed([LIBRARY], "return late(ARGV[1])")
    assert [line for line in carried.splitlines() if line.startswith("local")] == [
        "local LIMIT = 3",
        "local function clock()",
        "local function late(at)",
    ]


def test_what_is_only_talked_about_is_not_carried():
    assert needed([LIBRARY], "-- never late, says the clock\nreturn 1") == ""


def test_what_is_only_said_in_a_string_is_not_carried():
    assert needed([LIBRARY], """return {'late', "clock", 'it\\'s late'}""") == ""
    assert "late" in needed([LIBRARY], "return {'late', late(1), 'late'}")


def test_a_part_of_a_name_is_another_name():
    assert needed([LIBRARY], "local clocks = 1\nreturn clocks") == ""


def test_a_later_library_may_use_an_earlier_one():
    later = "local function soon()\n  return late(1)\nend\n"
    assert needed([LIBRARY, later], "return soon()").startswith("local LIMIT = 3\n")
