"""Text as the wire can carry it: valid Unicode, and JSON made of it."""

from __future__ import annotations

import json
from typing import Any

_MOST_DIGITS = 4000


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


def _whole_number(digits: str) -> int | str:
    # Python refuses to read more digits, as a guard against slow conversions: no reason to lose the rest of an answer.
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


_DECODER = json.JSONDecoder(parse_int=_whole_number)


def from_json(text: str) -> Any:
    """The value that ``text`` holds, every string in it repaired.

    Raises ``ValueError`` or ``RecursionError`` if it is not readable.
    """
    value = _DECODER.decode(text)
    if "\\u" not in text:
        return value
    # An escape is the only way by which half a character gets into decoded text.
    return json.loads(repair(json.dumps(value, ensure_ascii=False)))
