"""Made of worker/clients/values/odd_values.py by make client: change it there."""

from __future__ import annotations

import math
import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

MAX_LINK = 8192

MAX_NUMBER_BITS = 1024

_SCHEME = re.compile(r"(https?)://", re.IGNORECASE)

_ANY_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_BLANK = re.compile(r"\s")

_FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}


class LeftOut(NamedTuple):
    """A part that was not usable. ``part``: its documented name; ``reason``: what is wrong with it."""

    part: str
    reason: str

    def __str__(self) -> str:
        return f"{self.part}: {self.reason}"


class UnusableLink(ValueError):
    """Nothing can be fetched from this. The text is the reason."""


def name_of_type(value: object) -> str:
    """What a value is in JSON's words, for a reason: "null", "a list" and so on."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, dict) else "no JSON value"


def text_of(value: object) -> str | None:
    """A text as it is, a number as its digits, None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and value.bit_length() <= MAX_NUMBER_BITS:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return None


def flag_of(value: object) -> bool | None:
    """True or false, also written as 1, 0 or a usual word; None for everything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    return None


def link_of(value: object) -> str:
    """An http or https link, corrected where that does not change its meaning: blanks in it are percent-encoded, blanks
    around it are removed, and its scheme is written in lower case.

    Raises ``UnusableLink``: it is no text, empty, relative, of another scheme, without a host, longer than ``MAX_LINK``
    or holds control characters.
    """
    if not isinstance(value, str):
        raise UnusableLink(f"its link is {name_of_type(value)}")
    link = value.strip()
    if not link:
        raise UnusableLink("its link is empty")
    found = _SCHEME.match(link)
    if not found:
        known = "is neither http nor https" if _ANY_SCHEME.match(link) else "is relative"
        raise UnusableLink(f"its link {known}")
    if len(link) > MAX_LINK:
        raise UnusableLink(f"its link is longer than {MAX_LINK} characters")
    if _UNSENDABLE.search(link):
        raise UnusableLink("its link holds a control character or half a character")
    rest = link[found.end() :]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    mended = f"{found[1].lower()}://{_BLANK.sub(lambda blank: quote(blank[0]), rest)}"
    if _BLANK.search(authority) or "\\" in authority or not _has_host(mended):
        raise UnusableLink("its link names no host")
    if len(mended) > MAX_LINK:
        raise UnusableLink(f"its link is longer than {MAX_LINK} characters")
    return mended


def _has_host(link: str) -> bool:
    try:
        parts = urlsplit(link)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
