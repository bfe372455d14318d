"""Marks: a test that runs a piece of a script is known to reach it."""

from __future__ import annotations

from redis import Redis

from simulation.mutants.lua_text import lines_of, mark_of
from simulation.mutants.marks import Log, with_marks
from simulation.servers.embedded_redis import EmbeddedRedis

SCRIPT = """local x = tonumber(ARGV[1])
if x == 1 then
  x = x + 1
  x = x * 2
elseif x == 2 then
  x = 5
end
-- Behind it.
return x
"""


def test_the_marks_of_a_run_are_the_pieces_that_it_came_through():
    with EmbeddedRedis() as server, Redis.from_url(server.url) as redis:
        log = Log(server.log_file)
        assert redis.eval(with_marks("a.lua", SCRIPT), 0, 1) == 4
        assert log.new_marks() == {("a.lua", 1), ("a.lua", 3), ("a.lua", 9)}
        assert redis.eval(with_marks("a.lua", SCRIPT), 0, 2) == 5
        assert log.new_marks() == {("a.lua", 1), ("a.lua", 6), ("a.lua", 9)}
        assert log.new_marks() == set()


def test_each_line_belongs_to_the_mark_that_a_run_passes_on_its_way_there():
    lines = lines_of(SCRIPT)
    found = {line.number: mark_of(lines, line.number, library=False) for line in lines}
    assert found == {1: 1, 2: 1, 3: 3, 4: 3, 5: 1, 6: 6, 7: 1, 9: 9}


def test_a_library_has_marks_inside_of_its_functions_only():
    text = "local LIMIT = 5\nlocal function f()\n  return 1\nend\n"
    marked = with_marks("worker/store/lua/lib/a.lua", text).splitlines()
    assert ["redis.log" in line for line in marked] == [False, False, True, False]
