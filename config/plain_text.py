"""Text that is shown in a terminal, a log file or a collector: nothing in it is obeyed, and none of it ends a line."""

from __future__ import annotations

import json
import re
from typing import Any

# What a reader of fields could take for the end of a value, or for the begin of another one.
_NEEDS_QUOTES = re.compile(r"""[\s="'\\]|^$""")


def printable(value: object) -> str:
    """Any value as one line of text, everything that is no printable character escaped.

    Those are control characters and escape sequences, all line breaks (U+0085, U+2028 and U+2029 among them), controls
    of direction, and halves of surrogates.
    """
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(value: object, most: int) -> str:
    """Any value as one printable line of at most ``most`` characters; one that is longer ends with "…"."""
    text = printable(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def printable_lines(text: str) -> str:
    """Text of several lines, each made printable."""
    return "\n".join(map(printable, text.split("\n")))


def field(name: str, value: object) -> str:
    """``name=value``, the value in quotes when a reader could take a part of it for another field."""
    text = printable(value)
    if not _NEEDS_QUOTES.search(text):
        return f"{name}={text}"
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{quoted}"'


def printable_json(value: Any, **options: Any) -> str:
    """A value as JSON, everything in it that is no printable character escaped. ``options``: of ``json.dumps``, which
    writes some of those as they are."""
    text = json.dumps(value, **options)
    return "\n".join(map(_escaped, text.split("\n")))


def _escaped(line: str) -> str:
    # Outside of its strings JSON has printable ASCII only, so what is found here is inside of one.
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else _json_escape(c) for c in line)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
