"""How many messages one answer may be: a lead gets no thousands of them, and no process has to hold them.

An answer of 4 MiB, the most that is read, has room for a million. No answer of a persona comes near these limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from worker.clients.values.odd_values import LeftOut

MOST_BUBBLES = 100
# Of texts that are joined: as much as a lead may say at once. A text that came as one stays as long as it is.
MOST_JOINED_CHARACTERS = 10_000


class Joined(NamedTuple):
    """Texts as one, a line for each; ``left_out``: how many more would have made it too long."""

    text: str
    left_out: int


def joined(texts: Iterable[str]) -> Joined:
    """The last message of an answer that has too many. The first text is in it in any case; an empty one is left out
    and counts, because a photo stood in its place."""
    kept: list[str] = []
    characters = left_out = 0
    is_full = False
    for text in texts:
        is_full = is_full or bool(kept and text and characters + len(text) > MOST_JOINED_CHARACTERS)
        if is_full or not text:
            left_out += 1
            continue
        kept.append(text)
        characters += len(text) + 1
    return Joined("\n".join(kept), left_out)


def few(texts: Iterable[str]) -> tuple[list[str], int]:
    """At most ``MOST_BUBBLES`` of these texts, none of them empty, and how many were left out: those beyond are joined
    into the last one."""
    source = iter(texts)
    kept = list(islice(source, MOST_BUBBLES - 1))
    text, left_out = joined(source)
    return ([*kept, text] if text else kept), left_out


def too_many(part: str, left_out: int) -> tuple[LeftOut, ...]:
    """The note on what was left out of ``part``, if anything was. Without content."""
    return (LeftOut(part, f"{left_out} of them, an answer is at most {MOST_BUBBLES} messages"),) if left_out else ()
