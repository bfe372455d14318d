"""A plugin of pytest that writes down what each test takes and reaches: ``pytest -p simulation.mutants.recording``.

It is loaded before the measuring of coverage begins, so it imports nothing of the product.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulation.mutants.marks import Log
from simulation.servers.embedded_redis import EmbeddedRedis

# The variable with the file that is written at the end; the tests remove those of the product.
TARGET = "MUTANTS_RECORD"

_logs: dict[Path, Log] = {}
_seconds: dict[str, float] = defaultdict(float)
_failed: set[str] = set()
_marks: dict[str, set[tuple[str, int]]] = defaultdict(set)


def pytest_configure() -> None:
    """Know the log of each server from its start on, and read it before it goes."""
    start, stop = EmbeddedRedis.start, EmbeddedRedis.stop

    def noted_start(self: EmbeddedRedis) -> None:
        start(self)
        _logs.setdefault(self.log_file, Log(self.log_file))

    def read_stop(self: EmbeddedRedis) -> None:
        _look(_now)
        stop(self)

    EmbeddedRedis.start, EmbeddedRedis.stop = noted_start, read_stop  # type: ignore[method-assign]


_now = ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Marks that were written during a test are the test's."""
    global _now
    _now = item.nodeid
    try:
        return (yield)
    finally:
        _look(item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """How long the test took with all that was made for it, and whether it failed, or was left out."""
    _seconds[report.nodeid] += report.duration
    if report.outcome != "passed":
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write down what was found."""
    found = {
        test: {"seconds": round(seconds, 4), "passed": test not in _failed, "marks": sorted(_marks[test])}
        for test, seconds in _seconds.items()
    }
    Path(os.environ[TARGET]).write_text(json.dumps(found), encoding="utf-8")


def _look(test: str) -> None:
    for log in _logs.values():
        _marks[test] |= log.new_marks()
