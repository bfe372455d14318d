"""Ids that Parley makes itself: for further images, replays, follow-ups and letters of what was refused.

Two of their forms look like ids of producers and always have (``m#2``, ``m#replay``): what such an id stands for is
kept in the journal, and when two events have the same one, the later one goes under an id that no producer can send.
"""

from __future__ import annotations

import hashlib
import re

# What any id looks like, that of a producer as well.
PATTERN = r"^[\x21-\x7e]{1,256}$"

# As ``lua/lib/prelude.lua`` knows them.
PULLED = "pulled-"

_ANY = re.compile(PATTERN)
_LIKE_OURS = re.compile(r".+#(?:\d+|replay)", re.DOTALL)
_SEALED = re.compile(r"(.+)~([0-9a-f]{16})", re.DOTALL)
_LETTER = re.compile(r".+-refused-[0-9a-f]{12}", re.DOTALL)


def of_image(event_id: str, number: int) -> str:
    """The id of a message's further image; ``number``: 2 for the second."""
    return f"{event_id}#{number}"


def of_follow_up(plan: int, step: int, quiet_from: int) -> str:
    """The id of a cadence's follow-up, the same for every process. Plans are numbered from 1 again when a conversation
    has expired; ``quiet_from``, the milliseconds that the cadence counts from, do not come again."""
    return _sealed(f"follow-up-{plan}-{step}-{quiet_from}")


def of_pulled(ref: str) -> str:
    """The id of a follow-up that FluidTalk has written, from the name that FluidTalk gives it."""
    return _sealed(f"{PULLED}{hashlib.sha256(ref.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}")


def instead_of(event_id: str, derived_from: str) -> str:
    """The id of an event when another one has its own already; '' when that cannot happen.

    ``derived_from``: what Parley made the event from; '' = it is a producer's own.
    """
    if not derived_from and not ("#" in event_id and _LIKE_OURS.fullmatch(event_id)):
        return ""
    return _sealed(f"{event_id}#{'derived' if derived_from else 'own'}")


def is_one(text: str) -> bool:
    """Whether a text can be the id of an event."""
    return _ANY.fullmatch(text) is not None


def is_reserved(event_id: str) -> bool:
    """Whether an id is one that only Parley makes: no producer may send it."""
    if "-refused-" in event_id and _LETTER.fullmatch(event_id):
        return True
    found = _SEALED.fullmatch(event_id) if "~" in event_id else None
    return found is not None and found[2] == _seal(found[1])


def _sealed(text: str) -> str:
    return f"{text}~{_seal(text)}"


def _seal(text: str) -> str:
    return hashlib.sha256(b"parley event id " + text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
