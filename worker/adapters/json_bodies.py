"""The JSON in the body of a request: read strictly where users of ours write it, and leniently where a platform does.

A single part that cannot be used never costs the rest: what is too deep or too long arrives in a form that the readers
of events refuse or leave out, each with its own reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from worker.clients.http.codings import json_text
from worker.clients.values.wire_text import MOST_DIGITS, from_json, shallow


class NotJson(ValueError):
    """The body holds no JSON value. The text says why, without content."""


def written_by_user(body: bytes) -> object:
    """The JSON value in a body that a user of ours has written: UTF-8 text, as the standard demands.

    Numbers of any length and values of any depth are read, so that the event says which of its fields is at fault. Of a
    number with more than 4000 digits only these are kept, and of what is nested more than 200 levels deep, 200 levels:
    both are more than any field takes. Raises ``NotJson``.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotJson("the body is not UTF-8 text") from None
    return _value(text, _STRICT.decode)


def sent_by_platform(body: bytes, content_type: Callable[[], str] = str) -> object:
    """The JSON value in a body that a platform has sent: whatever of it can be read.

    Bytes that are no text and halves of a character become U+FFFD. A number with more than 4000 digits is the text of
    its digits, and what is nested more than 200 levels deep is null. ``content_type``: gives the media type, whose
    charset decides only when the bytes show none. Raises ``NotJson``.
    """
    return _value(json_text(body, content_type), from_json)


def _value(text: str, read: Callable[[str], object]) -> object:
    try:
        try:
            return read(text)
        except RecursionError:
            return read(shallow(text))
    except RecursionError:
        raise NotJson("the body is nested too deeply") from None
    except ValueError:
        raise NotJson("the body cannot be read as JSON") from None


def _whole_number(digits: str) -> int:
    # Python refuses to read more digits. Cut, it is still too large for every field, which then says so.
    return int(digits[:MOST_DIGITS])


_STRICT = json.JSONDecoder(parse_int=_whole_number)
