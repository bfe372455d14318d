"""What the reference of the Python interface shows otherwise than the code: docstrings without the notes for those who
change it, such as ``Source: ...`` and F12."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_CODE = r"(?:[FC]\d{1,2})"
_CODES = rf"{_CODE}(?:(?:,[ ]|[ ]and[ ]|[ ]to[ ]){_CODE})*"
_NOTES = re.compile(
    rf"""
      \s*\bSources?:\ .*?(?=\n\n|\Z)                    # to the end of its paragraph
    | \s*\([^()]*(?:protocols\.md|\bseed\ )[^()]*\)      # a remark that names the notes
    | \s*\({_CODES}\)                                   # a remark of nothing but codes
    | (?<=\(){_CODES}:\                                 # codes at the start of a remark
    | ,[ ]{_CODES}(?=\))                                 # codes at its end
    | \ of\ protocols\.md\ [\d.]+
    """,
    re.DOTALL | re.VERBOSE,
)


def without_notes(text: str) -> str:
    """A docstring for readers who do not have the notes that it refers to."""
    return _NOTES.sub("", text).strip()


class ReaderDocstrings(Extension):
    """For griffe, which reads the code: see the module."""

    def on_object(self, *, obj: Object, **_kwargs: Any) -> None:
        """Called for everything that griffe finds."""
        if obj.docstring:
            obj.docstring.value = without_notes(obj.docstring.value)
