"""Mutants of the Lua scripts: what is changed stands in the tables here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from simulation.mutants.lua_text import Line, Token, lines_of
from simulation.mutants.mutant import Candidate, Mutant, digest

# A word and what stands in its place, one at a time.
SWAPS: dict[str, tuple[str, ...]] = {
    "==": ("~=",),
    "~=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "and": ("or",),
    "or": ("and",),
    "not": ("",),
    "+": ("-",),
    "*": ("/",),
    "/": ("*",),
    "true": ("false",),
    "false": ("true",),
    "nil": ("true",),
    "min": ("max",),
    "max": ("min",),
}
_OPERANDS_END = frozenset(")]}")
_OPERAND_FOLLOWS = frozenset(("and", "or", "not", "return", "then", "else", "do", "in"))
_CONDITIONS = {"if": "then", "elseif": "then", "while": "do"}
# A line that begins with such a word is no statement that can be left out.
_KEPT = frozenset(("local", "function", "while", "repeat", "else", "elseif", "end", "until", "break"))
_ENDS_BLOCK = frozenset(("then", "do", "function", "repeat"))


def candidates_of(file: str, text: str) -> list[Candidate]:
    """The changes that can be made to a script or a library."""
    return [Candidate(file, mutant.line, mutant.kind, partial(_itself, mutant)) for mutant in mutants_of(file, text)]


def mutants_of(file: str, text: str) -> list[Mutant]:
    """All mutants of a script or a library, in the order of its lines."""
    source = digest(text)
    return [
        Mutant(file, line.number, kind, line.text, after, source)
        for line in lines_of(text)
        for kind, after in _changes(line)
        if after != line.text
    ]


def _itself(mutant: Mutant) -> Mutant:
    return mutant


def _changes(line: Line) -> Iterator[tuple[str, str]]:
    yield from _words(line)
    yield from _condition(line)
    if line.whole and _can_go(line):
        yield "no statement", line.text[: line.indent]


def _words(line: Line) -> Iterator[tuple[str, str]]:
    for index, token in enumerate(line.tokens):
        for new in SWAPS.get(token.text, ()):
            yield f"{token.text} is {new or 'gone'}", _with(line.text, token, new)
        if token.text == "-":
            yield "- is + or gone", _with(line.text, token, "+" if _has_left_side(line.words[:index]) else "")
        if token.text.isdigit():
            for name, number in (("number + 1", int(token.text) + 1), ("number - 1", int(token.text) - 1)):
                yield name, _with(line.text, token, str(number) if number >= 0 else f"({number})")


def _has_left_side(before: Sequence[str]) -> bool:
    return (
        bool(before)
        and before[-1] not in _OPERAND_FOLLOWS
        and (before[-1] in _OPERANDS_END or before[-1][-1].isalnum())
    )


def _condition(line: Line) -> Iterator[tuple[str, str]]:
    closing = _CONDITIONS.get(line.first)
    ends = [token for token in line.tokens if token.text == closing]
    if closing and len(ends) == 1:
        begin, end = line.tokens[0].end, ends[0].start
        said = line.text[begin:end].strip()
        yield "condition negated", f"{line.text[:begin]} not ({said}) {line.text[end:]}"


def _can_go(line: Line) -> bool:
    if line.first in _KEPT:
        return False
    opened = sum(word in _ENDS_BLOCK for word in line.words)
    return opened == line.words.count("end") and not (line.first == "return" and line.indent == 0)


def _with(text: str, token: Token, new: str) -> str:
    return text[: token.start] + new + text[token.end :]
