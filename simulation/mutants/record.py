"""What each test takes and reaches: recorded once, and again for the test files that were changed since."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simulation.mutants import marks, recording
from simulation.mutants.lua_text import lines_of, mark_of, marked_lines
from simulation.mutants.mutant import Mutant, digest
from simulation.mutants.runs import run
from simulation.mutants.tree import copied

# Whose lines are changed, and whose tests are asked.
PYTHON = ("worker/domain", "worker/pipeline")
LUA = "worker/store/lua"
TESTS = ("tests/worker/domain", "tests/worker/pipeline", "tests/worker/store", "tests/worker/cli")
_LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Reached:
    """A test that passes: how long it takes, and the lines that it reaches in each file; of a Lua script, the marks."""

    seconds: float
    lines: dict[str, list[int]]


@dataclass
class Record:
    """``files``: the digest of each test file that was recorded; ``sources``: those of the core at that time."""

    files: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    tests: dict[str, Reached] = field(default_factory=dict)

    def reaching(self, mutant: Mutant, text: str) -> list[str]:
        """The tests that reach the line of ``mutant`` in ``text``, the quick ones first.

        When none does, or the file has changed since: those that reach any line of the file. A line that runs when its
        module is imported is reached by no test of its own.
        """
        line = mark_of(lines_of(text), mutant.line, library="/lib/" in mutant.file) if _is_lua(mutant) else mutant.line
        all_of_file = {name: lines for name, test in self.tests.items() if (lines := test.lines.get(mutant.file))}
        exact = [name for name, lines in all_of_file.items() if line in lines]
        if not exact or self.sources.get(mutant.file) != mutant.source:
            exact = list(all_of_file)
        return sorted(exact, key=lambda name: (_is_of_another(name, mutant), self.tests[name].seconds, name))


def unreached(record: Record, root: Path) -> list[str]:
    """The pieces of the Lua scripts of the project that no recorded test reaches: ``file:line: its first line``."""
    reached = {(file, line) for test in record.tests.values() for file, lines in test.lines.items() for line in lines}
    return [
        f"{file}:{line.number}: {line.text.strip()}"
        for path in sorted((root / LUA).rglob("*.lua"))
        for file in [path.relative_to(root).as_posix()]
        for line in marked_lines(lines_of(path.read_text(encoding="utf-8")), library="/lib/" in file)
        if (file, line.number) not in reached
    ]


def _is_lua(mutant: Mutant) -> bool:
    return mutant.file.endswith(".lua")


def _is_of_another(test: str, mutant: Mutant) -> bool:
    # The tests of a module are in a file or a folder with its name.
    return Path(mutant.file).stem not in test.partition("::")[0]


def up_to_date(path: Path, root: Path, say: Callable[[str], None]) -> Record:
    """The record that is kept at ``path``, completed by what is new among the tests of the project at ``root``."""
    record = _read(path)
    now = {file.relative_to(root).as_posix(): file for folder in TESTS for file in (root / folder).rglob("test_*.py")}
    digests = {name: digest(file.read_text(encoding="utf-8")) for name, file in now.items()}
    new = sorted(name for name, text in digests.items() if record.files.get(name) != text)
    for file in {name.partition("::")[0] for name in record.tests} - (digests.keys() - set(new)):
        record.tests = {name: test for name, test in record.tests.items() if name.partition("::")[0] != file}
    if new:
        say(f"recording what the tests of {len(new)} files reach")
        with copied(root) as tree:
            if not record.sources:
                record.sources = _sources(root)
            record.tests.update(_recorded(tree, new))
        record.files = digests
        _write(path, record)
    return record


def _sources(root: Path) -> dict[str, str]:
    files = [file for folder in PYTHON for file in (root / folder).rglob("*.py")] + list((root / LUA).rglob("*.lua"))
    return {file.relative_to(root).as_posix(): digest(file.read_text(encoding="utf-8")) for file in files}


def _recorded(tree: Path, tests: Sequence[str]) -> dict[str, Reached]:
    marks.put_marks(tree, LUA)
    target, data, settings = tree / "record.json", tree / "record.coverage", tree / "record.ini"
    settings.write_text("[run]\nsource =\n" + "".join(f"  {folder}\n" for folder in PYTHON), encoding="utf-8")
    words = ["-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", recording.__name__]
    words += ["--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report=", *tests]
    env = {recording.TARGET: str(target), "COVERAGE_FILE": str(data)}
    ended = run(tree, words, _LONGEST_SECONDS, env)
    if not target.exists():
        raise RuntimeError(f"the recording ended without a result; the end of its output: {ended.output[-1000:]}")
    python = _python_lines(data, tree)
    found = json.loads(target.read_text(encoding="utf-8"))
    return {
        name: Reached(each["seconds"], _merged(python.get(name, {}), each["marks"]))
        for name, each in found.items()
        if each["passed"]
    }


def _python_lines(data: Path, tree: Path) -> dict[str, dict[str, list[int]]]:
    from coverage import CoverageData

    measured = CoverageData(str(data))
    measured.read()
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for file in measured.measured_files():
        name = os.path.relpath(file, tree)
        for line, contexts in measured.contexts_by_lineno(file).items():
            for test in {context.rpartition("|")[0] for context in contexts if context}:
                found[test][name].append(line)
    return found


def _merged(python: dict[str, list[int]], lua: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    lines = {file: sorted(numbers) for file, numbers in python.items()}
    for file, number in lua:
        lines.setdefault(file, []).append(number)
    return lines


def _read(path: Path) -> Record:
    if not path.exists():
        return Record()
    kept = json.loads(path.read_text(encoding="utf-8"))
    tests = {name: Reached(**test) for name, test in kept["tests"].items()}
    return Record(kept["files"], kept["sources"], tests)


def _write(path: Path, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {
            "files": record.files,
            "sources": record.sources,
            "tests": {name: asdict(test) for name, test in record.tests.items()},
        }
    )
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
