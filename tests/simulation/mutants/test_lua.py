"""Mutants of Lua: each is one line that the server still reads, and strings and comments stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from simulation.mutants.lua import mutants_of
from simulation.mutants.record import LUA
from simulation.mutants.tree import ROOT

CASES = [
    ("if a == 1 then b() end", "if a ~= 1 then b() end"),
    ("if a == 1 then b() end", "if a == 2 then b() end"),
    ("if a == 1 then b() end", "if not (a == 1) then b() end"),
    ("if a == 1 then b() end", ""),
    ("if a < b then", "if a <= b then"),
    ("local x = a and b or c", "local x = a or b or c"),
    ("local x = a and b or c", "local x = a and b and c"),
    ("  redis.call('DEL', key)", "  "),
    ("x = y - 1", "x = y + 1"),
    ("x = -1", "x = 1"),
    ("return {first, -1}", "return {first, 1}"),
    ("return math.min(a, b)", "return math.max(a, b)"),
    ("if not found then", "if  found then"),
    ("local on = true", "local on = false"),
    ("x = 0", "x = (-1)"),
]


@pytest.mark.parametrize(("line", "after"), CASES)
def test_a_line_is_changed_in_each_of_these_ways(line, after):
    assert after in [mutant.after for mutant in mutants_of("a.lua", line + "\n")]


@pytest.mark.parametrize("line", ["-- if a == 1 then", "local text = 'a == 1 and true'", "local x", "end", "else"])
def test_comments_strings_and_bare_words_are_left_alone(line):
    assert mutants_of("a.lua", line + "\n") == []


def test_a_statement_of_more_than_one_line_is_not_left_out():
    text = "  redis.call('HSET', key,\n    'field', value)\n  other(key)\n"
    gone = [mutant.line for mutant in mutants_of("a.lua", text) if mutant.kind == "no statement"]
    assert gone == [3]


def test_the_server_reads_every_mutant_of_every_script(redis_server):
    mutants = [
        (mutant, text)
        for path in sorted(Path(ROOT, LUA).rglob("*.lua"))
        for text in [path.read_text(encoding="utf-8")]
        for mutant in mutants_of(path.relative_to(ROOT).as_posix(), text)
    ]
    assert len(mutants) > 3000
    with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        read = "local _, fault = loadstring(ARGV[1]) return fault or ''"
        faults = [(str(mutant), fault) for mutant, text in mutants if (fault := redis.eval(read, 0, mutant.of(text)))]
    assert faults == []
