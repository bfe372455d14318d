"""The record says which tests are asked: those that reach the line, those of the module and the quick ones first."""

from __future__ import annotations

import pytest

from simulation.mutants.mutant import Mutant, digest
from simulation.mutants.record import Reached, Record

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
