"""Text as the wire can carry it: valid Unicode, and JSON made of it."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_DIGITS = 4000

# More than any reader of ours goes down (``json_values.MAX_DEPTH``), and few enough for every decoder.
_MOST_LEVELS = 200
# What is cut is found bracket by bracket: a body of nothing else would keep its reader for a second.
_MOST_BRACKETS = 50_000
# Everything up to the next bracket that is in no text. It fails nowhere, so that it reads no part twice.
_TO_BRACKET = re.compile(r'(?:[^\[\]{}"]++|"(?:[^"\\]++|\\.)*+"?)*+(?:([\[\]{}])|\Z)', re.DOTALL)


def repair(text: str) -> str:
    """Join the halves of a character where both are there, and put U+FFFD where one is missing.

    Chat platforms deliver broken UTF-16 (protocols.md F7). The result can always be encoded as UTF-8.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def to_json(value: object) -> str:
    """``value`` as JSON text that every reader of JSON accepts: no lone surrogate, no NaN.

    Raises ``TypeError``, ``ValueError`` or ``RecursionError`` for what JSON cannot hold.
    """
    return repair(json.dumps(value, ensure_ascii=False, allow_nan=False))


def shallow(text: str) -> str:
    """A JSON text with null in place of what is nested more than 200 levels deep, so that every decoder can read it.

    Its reader sees 200 levels where there were more, and so leaves out or refuses what is too deep for it. What is cut
    is not looked at. Raises ``RecursionError`` when there is too much in it to look for what is deep.
    """
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise RecursionError("too many brackets")
    kept: list[str] = []
    begin = level = 0
    for found in _TO_BRACKET.finditer(text):
        if found[1] in ("[", "{"):
            level += 1
            if level == _MOST_LEVELS + 1:
                kept.append(f"{text[begin : found.end() - 1]}null")
        elif found[1]:
            if level == _MOST_LEVELS + 1:
                begin = found.end()
            level -= 1
    return "".join([*kept, text[begin:]])


def _whole_number(digits: str) -> int | str:
    # Python refuses to read more digits, as a guard against slow conversions: no reason to lose the rest of an answer.
    return int(digits) if len(digits) <= MOST_DIGITS else digits


# Not strict: some servers write a line break in a text as it is.
_DECODER = json.JSONDecoder(parse_int=_whole_number, strict=False)


def from_json(text: str) -> Any:
    """The value that ``text`` holds, every string in it repaired.

    Raises ``ValueError`` or ``RecursionError`` if it is not readable.
    """
    value = _DECODER.decode(text)
    if "\\u" not in text:
        return value
    # An escape is the only way by which half a character gets into decoded text.
    return json.loads(repair(json.dumps(value, ensure_ascii=False)))
