"""Which shared Lua definitions a script needs.

Redis makes each function again whenever a script runs, so a script carries only those that it uses. A library holds
definitions at the beginning of a line (``local NAME = ...``, ``local function NAME(...)``); each uses only those
before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"local (?:function )?(\w+)")


def needed(libraries: Iterable[str], script: str) -> str:
    """The definitions of ``libraries`` that ``script`` uses, directly or through others, in order, without comments.

    Arguments are Lua texts. A name in a string counts as used: a definition too many may be carried, never one too few.
    """
    found = [definition for library in libraries for definition in _definitions(library)]
    used, carried = _code(script), []
    for definition in reversed(found):
        match = _NAME.match(definition)
        if match and re.search(rf"\b{match[1]}\b", used):
            carried.append(definition)
            used += definition
    return "".join(reversed(carried))


def _definitions(library: str) -> list[str]:
    parts = re.split(r"^(?=local )", _code(library), flags=re.MULTILINE)
    return [part for part in parts if part.startswith("local ")]


def _code(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.strip() and not line.lstrip().startswith("--"))
