"""What a lead's "stop" means: the words that say it, and what is still sent afterwards."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints

from config.placeholders import Secret
from config.values import Listed, Section

# A longer message is never a word, so that no message of the usual length is looked at.
LONGEST_WORD = 40

Language = Literal["de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "tr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def _says_something(word: str) -> str:
    if not any(character.isalnum() for character in word):
        raise ValueError("a word without a letter or digit says nothing: write one such as unsubscribe")
    return word


Word = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_WORD), AfterValidator(_says_something)]
Words = Annotated[tuple[Word, ...], Listed]


class PersonaConsent(Section):
    """What happens when a lead opts out. Nothing of it calls the persona.

    ``enabled``: whether the words of a lead opt out and in; ``parley consent`` works in any case.
    ``languages``: the tables of words that count. ``more_stop_words`` and ``more_start_words`` are added to them,
    ``not_stop_words`` are taken away. Only a whole message is a word; case, accents and punctuation do not count.
    ``confirmation``: one text for a lead who has just opted out; None: no text.
    ``scope``: the opt-out is from this persona, or from all personas with the scope ``lead``.
    ``later_messages``: a lead who opted out and writes again gets an answer, or silence. Without openers, event
    triggers and follow-ups in both cases.
    ``outreach``: openers, event triggers and follow-ups go to all leads who did not opt out, or only to those who
    opted in.
    """

    enabled: bool = True
    languages: Annotated[tuple[Language, ...], Listed] = LANGUAGES
    more_stop_words: Words = ()
    more_start_words: Words = ()
    not_stop_words: Words = ()
    confirmation: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)] | None = None
    scope: Literal["persona", "lead"] = "persona"
    later_messages: Literal["answer", "silence"] = "answer"
    outreach: Literal["unless_opted_out", "only_opted_in"] = "unless_opted_out"

    @property
    def keeps_consent(self) -> bool:
        """Whether a word that opts in counts also for a lead who did not opt out of this persona."""
        return self.outreach == "only_opted_in" or self.scope == "lead"


class Consent(PersonaConsent):
    """The same for all personas. ``hash_key``: the key of the hashes by which an erased lead stays opted out
    (``parley forget``), at least 16 characters and the same in all processes; without it
    ``PARLEY_PRIVACY__HANDLE_KEY`` is taken."""

    hash_key: Annotated[Secret, Field(min_length=16)] | None = None
