"""The record says which tests are asked: those that reach the line, those of the module and the quick ones first."""

from __future__ import annotations

import pytest

from simulation.mutants.mutant import Mutant, digest
from simulation.mutants.record import LUA, Reached, Record, unreached

FILE, CODE = "worker/domain/small.py", "LIMIT = 3\ndef f():\n    return LIMIT\n"
RECORD = Record(
    sources={FILE: digest(CODE)},
    tests={
        "tests/test_other.py::test_quick": Reached(0.1, {FILE: [3]}),
        "tests/test_other.py::test_far": Reached(0.1, {"worker/domain/far.py": [3]}),
        "tests/test_small.py::test_slow": Reached(2.0, {FILE: [3]}),
        "tests/test_small.py::test_elsewhere": Reached(1.0, {FILE: [7]}),
    },
)


@pytest.mark.parametrize(
    ("line", "source", "names"),
    [
        (3, CODE, ["test_slow", "test_quick"]),
        (1, CODE, ["test_elsewhere", "test_slow", "test_quick"]),
        (3, CODE + "#", ["test_elsewhere", "test_slow", "test_quick"]),
    ],
    ids=["a line that tests reach", "a line that runs at the import", "a file that was changed since"],
)
def test_tests_are_chosen_by_what_they_reach(line, source, names):
    mutant = Mutant(FILE, line, "changed", "", "", digest(source))
    assert [name.partition("::")[2] for name in RECORD.reaching(mutant, source)] == names


def test_pieces_of_a_script_that_no_test_reaches_are_named(tmp_path):
    path = tmp_path / LUA / "a.lua"
    path.parent.mkdir(parents=True)
    path.write_text("local x = 1\nif x == 2 then\n  x = 3\nend\nreturn x\n", encoding="utf-8")
    record = Record(tests={"tests/test_a.py::test_a": Reached(0.1, {f"{LUA}/a.lua": [1, 5]})})
    assert unreached(record, tmp_path) == [f"{LUA}/a.lua:3: x = 3"]
