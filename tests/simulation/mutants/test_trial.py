"""Trials in a small project: what a test notices is killed, what no test looks at survives, and the project stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.mutants import campaign
from simulation.mutants.equivalent import Equivalent
from simulation.mutants.mutant import Mutant, digest
from simulation.mutants.record import Reached, Record
from simulation.mutants.report import report
from simulation.mutants.results import Outcome, Results
from simulation.mutants.tree import copied
from simulation.mutants.trial import Limits, Trials

FILE, TEST = "worker/pipeline/small.py", "tests/test_small.py::test_it_adds"
CODE = """def added(a, b):
    total = a + b
    unused = a * 2
    while total < 0: total = 0
    return total
"""
TESTS = """from worker.pipeline.small import added


def test_it_adds():
    assert added(1, 2) == 3
    assert added(-1, -2) == 0
"""


def mutant(line: int, before: str, after: str) -> Mutant:
    whole = CODE.splitlines()[line - 1]
    return Mutant(FILE, line, "changed", whole, whole.replace(before, after), digest(CODE))


KILLED, HARMLESS = mutant(2, "a + b", "a - b"), mutant(3, "a * 2", "a * 3")
ENDLESS, BROKEN = mutant(4, "total = 0", "total = -1"), mutant(1, "def added", "def other")


SAME = Equivalent(FILE, "unused = a * 2", "unused = a * 3", "nothing reads it")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        FILE: CODE,
        "tests/test_small.py": TESTS,
        ".env": "SECRET=1",
        "worker/__init__.py": "",
        "worker/pipeline/__init__.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "project"


@pytest.fixture
def record() -> Record:
    return Record({}, {FILE: digest(CODE)}, {TEST: Reached(0.01, {FILE: [2, 3, 4, 5]})})


@pytest.fixture
def trials(project, record) -> Trials:
    return Trials(project, record, Limits(test_seconds=60, explore_seconds=0))


@pytest.fixture
def results(tmp_path) -> Results:
    return Results(tmp_path / "kept" / "results.jsonl")


@pytest.mark.parametrize(
    ("changed", "outcome", "by"),
    [(KILLED, Outcome.KILLED, TEST), (BROKEN, Outcome.KILLED, "tests/test_small.py"), (HARMLESS, Outcome.SURVIVED, "")],
    ids=["killed", "not even imported", "harmless"],
)
def test_what_a_test_notices_is_killed_and_what_is_harmless_survives(trials, project, changed, outcome, by):
    found = trials.of(changed)
    assert (found.outcome, found.by, found.tests) == (outcome, by, 1)
    assert (project / FILE).read_text(encoding="utf-8") == CODE


def test_tests_that_do_not_end_with_the_change_and_end_without_it_notice_it(project, record):
    trials = Trials(project, record, Limits(test_seconds=8, explore_seconds=0))
    # On a machine that is too busy to run one test in that time nothing is said of the mutant.
    assert trials.of(ENDLESS).outcome in (Outcome.TIMED_OUT, Outcome.UNCLEAR)


def test_what_the_tests_miss_may_break_a_promise_of_the_exploration(project, record):
    explore = project / "simulation/explore/__main__.py"
    explore.parent.mkdir(parents=True)
    explore.write_text("print('     BROKEN: an answer is lost')\nraise SystemExit(1)\n", encoding="utf-8")
    for folder in (explore.parent, explore.parent.parent):
        (folder / "__init__.py").touch()
    found = Trials(project, record, Limits(test_seconds=60, explore_seconds=1)).of(HARMLESS)
    assert (found.outcome, found.by) == (Outcome.EXPLORED, "an answer is lost")


def test_a_run_that_was_ended_goes_on_with_what_was_not_tried(trials, results, tmp_path):
    said: list[str] = []
    campaign.try_all([KILLED], trials, results, 60, said.append)
    with (tmp_path / "kept" / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"mutant": {"file": "cut o')
    again = Results(tmp_path / "kept" / "results.jsonl")
    assert campaign.left_of([KILLED, HARMLESS], again, []) == [HARMLESS]
    campaign.try_all([HARMLESS], trials, again, 60, said.append)
    last = Results(tmp_path / "kept" / "results.jsonl")
    assert campaign.left_of([KILLED, HARMLESS], last, []) == []
    assert campaign.left_of([KILLED, HARMLESS], last, [], again=True) == [HARMLESS]
    assert campaign.left_of([KILLED, HARMLESS], last, [SAME], again=True) == []
    assert [line.split(" after ")[0] for line in said] == ["1/1 killed", "1/1 survived"]
    assert last.killers(FILE) == [TEST]


def test_no_mutant_is_begun_when_the_time_is_over(trials, results):
    campaign.try_all([KILLED], trials, results, -1, print)
    assert campaign.left_of([KILLED], results, []) == [KILLED]


def test_the_report_counts_neither_equivalent_mutants_nor_those_that_were_not_tried(trials, results):
    campaign.try_all([KILLED, HARMLESS], trials, results, 60, print)
    found = report([KILLED, HARMLESS, BROKEN], results, [])
    assert (found.killed_percent, found.left, [each.mutant for each in found.survivors]) == (50.0, 1, [HARMLESS])
    named = report([KILLED, HARMLESS], results, [SAME])
    assert (named.killed_percent, named.survivors) == (100.0, [])
    assert "(nothing reads it)" in next(named.lines())


def test_a_mutant_of_a_file_that_was_changed_since_is_another_one():
    newer = Mutant(FILE, 2, "changed", KILLED.before, KILLED.after, digest(CODE + "\n"))
    assert newer.key != KILLED.key
    with pytest.raises(ValueError, match="has changed since"):
        newer.of(CODE)


def test_the_copy_of_the_project_has_no_secrets_and_is_gone_at_the_end(project):
    with copied(project) as tree:
        assert (tree / FILE).read_text(encoding="utf-8") == CODE
        assert not (tree / ".env").exists()
    assert not tree.exists()
