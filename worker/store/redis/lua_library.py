"""Which shared Lua definitions a script carries, and where.

Redis makes each function again whenever a script runs, so a script carries only those that it uses, and makes those
that it seldom uses when it calls them. A library holds definitions at the beginning of a line (``local NAME = ...``,
``local function NAME(...)``); each uses only those before it. A script, or a definition, that says ``rare.NAME`` means
``NAME`` of a library, which is made at that call with all that it stands on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

_NAME = re.compile(r"local (function )?(\w+)")
_RARE = re.compile(r"\brare\.(\w+)")
_WORD = re.compile(r"\w+")
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")


class _Definition(NamedTuple):
    name: str
    is_function: bool
    words: frozenset[str]
    rare: frozenset[str]
    text: str


def as_carried(script: str, text: str) -> str:
    """How ``script`` stands at the end of ``text``, which ``complete`` has made: it says ``rare.NAME`` otherwise."""

    def said(found: re.Match[str]) -> str:
        return f"rarely('{found[1]}')" if f"  if name == '{found[1]}' then\n" in text else found[1]

    return _RARE.sub(said, script)


def complete(prelude: Iterable[str], between: str, libraries: Iterable[str], script: str) -> str:
    """``script`` behind the definitions that it uses: those of ``prelude``, then ``between`` as it is, then those of
    ``libraries``.

    Arguments are Lua texts. A name that is only said in a string or in a comment line is not used. What is only used as
    ``rare.NAME`` stands in one function, ``rarely``, which makes it when it is called. Raises ``ValueError`` for
    such a name that no library defines.
    """
    return _complete(tuple(prelude), between, tuple(libraries), script)


# A process opens several stores with the same settings, a test suite thousands: each asks this for every script.
@lru_cache(maxsize=256)
def _complete(prelude: tuple[str, ...], between: str, libraries: tuple[str, ...], script: str) -> str:
    first = [definition for library in prelude for definition in _definitions(library)]
    everything = [*first, *(definition for library in libraries for definition in _definitions(library))]
    code = _code(between + script)
    words, rare = set(_words(code)), set(_RARE.findall(code))
    while True:
        always = _used(everything, words)
        seldom = _seldom(everything, rare.union(*(each.rare for each in always)))
        # A value that is kept between two calls stands outside of them.
        values = {each.name for used in seldom.values() for each in used if not each.is_function}
        if values <= {each.name for each in always}:
            break
        words |= values
    names = {each.name for each in always}
    made = {
        name: [each for each in used if each.name not in names] for name, used in seldom.items() if name not in names
    }
    text = "".join(
        (
            "local rarely\n" if made else "",
            *(each.text for each in always if each in first),
            between,
            *(each.text for each in always if each not in first),
            _rarely(made) if made else "",
            script,
        )
    )
    return _RARE.sub(lambda found: f"rarely('{found[1]}')" if found[1] in made else found[1], text)


def _used(definitions: Sequence[_Definition], words: Iterable[str]) -> list[_Definition]:
    used, carried = set(words), []
    for definition in reversed(definitions):
        if definition.name in used:
            carried.append(definition)
            used |= definition.words
    return carried[::-1]


def _seldom(definitions: Sequence[_Definition], roots: Iterable[str]) -> dict[str, list[_Definition]]:
    # What each of these names stands on, and each name that is said in there, in order of their names.
    found: dict[str, list[_Definition]] = {}
    to_do = set(roots)
    while to_do:
        name = to_do.pop()
        if not any(each.name == name for each in definitions):
            raise ValueError(
                f"a script says rare.{name}, which no library in worker/store/lua/lib defines: correct the name"
            )
        found[name] = _used(definitions, {name})
        to_do |= {rare for each in found[name] for rare in each.rare} - found.keys()
    return dict(sorted(found.items()))


def _rarely(made: dict[str, list[_Definition]]) -> str:
    branches = (
        f"  if name == '{name}' then\n{''.join(each.text for each in used)}    return {name}\n  end\n"
        for name, used in made.items()
    )
    return f"rarely = function(name)\n{''.join(branches)}end\n"


@cache
def _definitions(library: str) -> tuple[_Definition, ...]:
    parts = re.split(r"^(?=local )", _code(library), flags=re.MULTILINE)
    return tuple(
        _Definition(name[2], name[1] is not None, frozenset(_words(part)), frozenset(_RARE.findall(part)), part)
        for part in parts
        if (name := _NAME.match(part))
    )


def _code(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.strip() and not line.lstrip().startswith("--"))


def _words(code: str) -> list[str]:
    return _WORD.findall(_RARE.sub("", _STRING.sub("", code)))
