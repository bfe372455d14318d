"""The reference is for readers: without notes of those who change the code."""

from __future__ import annotations

import pytest

from docs_build.readers import without_notes


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
