"""What a Lua file looks like line by line: its words, and where statements begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"--.*|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+(?:\.\d+)?|\w+|==|~=|<=|>=|\.\.\.?|\S")
# Behind these words, and before those, a statement goes on in the next line.
_GOES_ON = frozenset(
    ("and", "or", "not", "..", "+", "-", "*", "/", "%", "=", ",", "==", "~=", "<", ">", "<=", ">=", "in")
)
_CONTINUES = _GOES_ON | frozenset((")", "}", "]", ".", ":"))
_OPEN, _CLOSE = frozenset("({["), frozenset(")}]")
# Behind these a run may take another way.
_CONTROL = frozenset(("then", "else", "do", "end", "function", "return", "repeat", "until", "break"))
_NOT_BEFORE = frozenset(("end", "else", "elseif", "until"))


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a line and where it stands there."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The place behind it."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code, counted from 1. ``begins``: a statement starts with it. ``whole``: that ends with it, too."""

    number: int
    text: str
    tokens: tuple[Token, ...]
    begins: bool
    whole: bool

    @property
    def first(self) -> str:
        """Its first word."""
        return self.tokens[0].text

    @property
    def indent(self) -> int:
        """Where its first word stands."""
        return self.tokens[0].start

    @property
    def words(self) -> tuple[str, ...]:
        """The texts of its tokens."""
        return tuple(token.text for token in self.tokens)


def tokens_of(line: str) -> tuple[Token, ...]:
    """The words of a line without its comment; a string is one word."""
    found = (Token(match[0], match.start()) for match in _TOKEN.finditer(line))
    return tuple(token for token in found if not token.text.startswith("--"))


def lines_of(text: str) -> list[Line]:
    """The lines that hold code."""
    numbered = ((number, line) for number, line in enumerate(text.splitlines(), 1))
    code = [(number, line, tokens) for number, line in numbered if (tokens := tokens_of(line))]
    begins = [True] * (len(code) + 1)
    depth = 0
    for index, (_, _, tokens) in enumerate(code):
        depth += _depth(tokens)
        following = code[index + 1][2][0].text if index + 1 < len(code) else ""
        begins[index + 1] = depth == 0 and tokens[-1].text not in _GOES_ON and following not in _CONTINUES
    return [
        Line(number, line, tokens, begins[index], begins[index] and begins[index + 1] and _depth(tokens) == 0)
        for index, (number, line, tokens) in enumerate(code)
    ]


def _depth(tokens: Sequence[Token]) -> int:
    return sum((token.text in _OPEN) - (token.text in _CLOSE) for token in tokens)


def marked_lines(lines: Sequence[Line], *, library: bool) -> list[Line]:
    """The lines before which a mark shows that a run came there: the first of each straight piece of code.

    ``library``: only inside of functions, because its definitions begin at the beginning of a line.
    """
    marked = []
    for before, line in zip((None, *lines), lines, strict=False):
        new_way = before is None or not _CONTROL.isdisjoint(before.words)
        if line.begins and new_way and line.first not in _NOT_BEFORE and not (library and line.indent == 0):
            marked.append(line)
    return marked


def mark_of(lines: Sequence[Line], number: int, *, library: bool) -> int:
    """The number of the marked line that a run passes on its way to line ``number``; 0 = none is known."""
    indent = next(line.indent for line in lines if line.number == number)
    marked = marked_lines(lines, library=library)
    before = [line.number for line in marked if line.number <= number and line.indent <= indent]
    return max(before, default=0)
