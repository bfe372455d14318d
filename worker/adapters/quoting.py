"""Whether a word of a server repeats what a lead or a producer said: such a word is content, and is not shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# A shorter word says nothing: "a" is a part of most names.
_SHORTEST = 3
# Parts of reasons that any message may hold, and that tell nothing of it.
_FILLING = frozenset(("and", "are", "for", "has", "not", "the", "too", "was"))


def repeats(word: str, texts: Iterable[str], *, in_parts: bool = False) -> bool:
    """Whether ``word`` quotes one of ``texts``: of a sentence whole words, of one word any part.

    ``in_parts``: each part of the word counts, such as "pregnant" in "is_pregnant". This is for values, which may be
    made of a conversation; the names of fields are written by programmers, and a long message has most of their parts.
    """
    bare = _bare(word)
    parts = {bare}
    if in_parts:
        parts.update(part for part in bare.split() if len(part) >= _SHORTEST and part not in _FILLING)
    joined = bare.replace(" ", "")
    return any(_quotes(parts, joined, text) for text in texts)


def _quotes(parts: set[str], joined: str, text: str) -> bool:
    bare = _bare(text)
    if len(text.split()) > 1:
        return any(f" {part} " in f" {bare} " for part in parts)
    one_word = bare.replace(" ", "")
    return bool(one_word) and (joined in one_word or (len(one_word) >= _SHORTEST and one_word in joined))


def _bare(text: str) -> str:
    # Lower case, accents and other forms of a letter taken away: a server may write a name in its own way.
    if not text.isascii():
        text = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", " ", text.casefold()).strip()
