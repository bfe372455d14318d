"""Which shared Lua definitions a script needs.

Redis makes each function again whenever a script runs, so a script carries only those that it uses. A library holds
definitions at the beginning of a line (``local NAME = ...``, ``local function NAME(...)``); each uses only those
before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

_NAME = re.compile(r"local (?:function )?(\w+)")
_WORD = re.compile(r"\w+")
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")


class _Definition(NamedTuple):
    name: str
    words: frozenset[str]
    text: str


def needed(libraries: Iterable[str], script: str) -> str:
    """The definitions of ``libraries`` that ``script`` uses, directly or through others, in order, without comments.

    Arguments are Lua texts. A name that is only said in a string or in a comment line is not used.
    """
    return _needed(tuple(libraries), script)


# A process opens several stores with the same settings, a test suite thousands: each asks this for every script, twice.
@lru_cache(maxsize=256)
def _needed(libraries: tuple[str, ...], script: str) -> str:
    used, carried = set(_words(_code(script))), []
    for definition in reversed([definition for library in libraries for definition in _definitions(library)]):
        if definition.name in used:
            carried.append(definition.text)
            used |= definition.words
    return "".join(reversed(carried))


@cache
def _definitions(library: str) -> tuple[_Definition, ...]:
    parts = re.split(r"^(?=local )", _code(library), flags=re.MULTILINE)
    return tuple(_Definition(name[1], frozenset(_words(part)), part) for part in parts if (name := _NAME.match(part)))


def _code(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.strip() and not line.lstrip().startswith("--"))


def _words(code: str) -> list[str]:
    return _WORD.findall(_STRING.sub("", code))
