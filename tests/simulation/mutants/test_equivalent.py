"""The table of equivalent mutants is about lines that exist, and gives a reason for each."""

from __future__ import annotations

import pytest

from simulation.mutants.equivalent import table
from simulation.mutants.tree import ROOT


@pytest.mark.parametrize("entry", table(), ids=lambda entry: f"{entry.file}: {entry.before[:60]}")
def test_an_entry_names_a_line_that_is_there_and_a_reason(entry):
    lines = (ROOT / entry.file).read_text(encoding="utf-8").splitlines()
    assert entry.before in [line.strip() for line in lines]
    assert entry.before != entry.after
    assert len(entry.reason) > 20


def test_an_entry_without_a_reason_is_refused(tmp_path):
    path = tmp_path / "equivalent.toml"
    path.write_text('[[equivalent]]\nfile = "a"\nbefore = "b"\nafter = "c"\n', encoding="utf-8")
    with pytest.raises(ValueError, match="file, before, after and reason"):
        table(path)
