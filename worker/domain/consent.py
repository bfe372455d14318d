"""What a lead's message says about consent: pure, by its whole text only."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from config.consent import PersonaConsent
from worker.domain.consent_words import TABLES

Said = Literal["stop", "start"]
State = Literal["out", "in"]

# Room for what may stand around a word: quotes, signs, blanks.
_AROUND = 10


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one persona, as ``plain`` writes them. ``longest``: characters of a message that can be one."""

    stop: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    longest: int = 0


def words_of(consent: PersonaConsent) -> Words:
    """The words that count by these settings: none when consent by words is off.

    A word that opts out never opts in as well.
    """
    if not consent.enabled:
        return Words()
    tables = [TABLES[language] for language in consent.languages]
    stop = _plain_all(*(table.stop for table in tables), consent.more_stop_words)
    stop -= _plain_all(consent.not_stop_words)
    start = _plain_all(*(table.start for table in tables), consent.more_start_words) - stop
    return Words(stop, start, max(map(len, (*stop, *start)), default=0) + _AROUND)


def said(text: str, words: Words) -> Said | None:
    """Whether the whole message is one of the words.

    Case, accents, the kind of letters (full width, bold), what stands around the words and invisible characters do not
    count; between two words every sign is a blank. A longer message is never looked at.
    """
    if not text or len(text) > words.longest:
        return None
    word = plain(text)
    if word in words.stop:
        return "stop"
    return "start" if word in words.start else None


class _Plain(dict[int, str]):
    # What each character becomes; made when a character is first met. Leads can send any of a million.
    _MOST = 10_000

    def __missing__(self, code: int) -> str:
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", chr(code)).casefold())
        bare = "".join(each for each in apart if unicodedata.category(each) not in _UNSEEN).replace(
            "\N{LATIN SMALL LETTER DOTLESS I}", "i"
        )
        found = bare if bare.isalnum() or not bare else "".join(each if each.isalnum() else " " for each in bare)
        if len(self) < self._MOST:
            self[code] = found
        return found


# Marks on letters and behind emoji, characters without a width.
_UNSEEN = ("Mn", "Me", "Cf")
CHARACTERS = _Plain()


def plain(text: str) -> str:
    """A text as it is compared: small letters without accents, one blank between words, nothing around them."""
    return " ".join(text.translate(CHARACTERS).split())


def _plain_all(*tables: tuple[str, ...]) -> frozenset[str]:
    return frozenset(plain(word) for table in tables for word in table)
