"""The reference is for readers: without notes of those who change the code, with the fields of each model."""

from __future__ import annotations

import griffe
import pytest

from docs_build.readers import ReaderDocstrings, without_notes


@pytest.mark.parametrize(
    ("docstring", "told"),
    [
        ("Asks once.\n\nSource: seed FluidTalk, protocols.md 1.1.", "Asks once."),
        ("Can be copied. Source: protocols.md 1.6, F17.\n\nNext.", "Can be copied.\n\nNext."),
        ("The event happened (protocols.md 1.2, 1.3, F3).", "The event happened."),
        ("Left out (F1). Kept.", "Left out. Kept."),
        ("Refused (F2, F5 to F7 and C1).", "Refused."),
        ("An action (also ``action``, which wins, C24).", "An action (also ``action``, which wins)."),
        ("A host (C31: not both).", "A host (not both)."),
        ("The five keys of protocols.md 2.4, always.", "The five keys, always."),
        ("An error (no connection), or 503 (F is a letter).", "An error (no connection), or 503 (F is a letter)."),
    ],
)
def test_notes_are_left_out_and_nothing_else(docstring, told):
    assert without_notes(docstring) == told


def test_a_model_is_shown_with_its_fields_those_of_its_bases_first(tmp_path):
    code = "class Base(BaseModel):\n a: int\n _own: int\nclass Model(Base):\n b: str = 'x'\nclass Plain:\n c: int\n"
    package = tmp_path / "sample"
    package.mkdir()
    (package / "__init__.py").write_text(code)
    sample = griffe.load("sample", search_paths=[tmp_path], extensions=griffe.load_extensions(ReaderDocstrings()))
    assert [(each.name, each.default) for each in sample["Model"].parameters] == [("a", None), ("b", "'x'")]
    assert "__init__" not in sample["Plain"].members
