"""Mutants of Python: what cosmic-ray and our two operators change, and what is left alone."""

from __future__ import annotations

import pytest

pytest.importorskip("cosmic_ray", reason="make mutants installs it")

from simulation.mutants.python import candidates_of


def changes(text: str) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for candidate in candidates_of("a.py", text):
        if mutant := candidate.make():
            found.setdefault(mutant.line, set()).add(mutant.after.strip())
    return found


def test_comparisons_numbers_and_results_are_changed():
    found = changes("def f(a):\n    if a < 3:\n        g(a)\n    return a\n")
    assert {"if a <= 3:", "if a >= 3:", "if a < 4:", "if a < 2:", "if not a < 3:"} <= found[2]
    assert found[3] == {"pass"}
    assert found[4] == {"return None"}


def test_annotations_log_lines_and_imports_for_mypy_are_left_alone():
    text = (
        "if TYPE_CHECKING:\n    pass\nx: int | None = y\n_log.info('%d', 1 + 1)\ndef f(a: int | str) -> int | None: ..."
    )
    assert changes(text) == {}


def test_letters_outside_of_ascii_stand_where_they_stood():
    assert changes("def f():\n    g('é'); h()\n")[2] == {"pass; h()", "g('é'); pass"}
