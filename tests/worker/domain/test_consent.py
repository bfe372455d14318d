"""Which messages opt out and in: the whole message only, in many spellings."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.consent import LANGUAGES, PersonaConsent
from worker.domain.consent import CHARACTERS, Words, plain, said, words_of
from worker.domain.consent_words import TABLES

ALL = words_of(PersonaConsent())

FULL_WIDTH = "".join(chr(ord(letter) - ord("!") + 0xFF01) for letter in "STOP")
BOLD = "".join(chr(ord(letter) - ord("A") + 0x1D400) for letter in "STOP")
USUAL = [
    "stop",
    "stop all",
    "stopall",
    "end",
    "quit",
    "cancel",
    "unsubscribe",
    "revoke",
    "opt out",
    "opt-out",
    "optout",
]


@pytest.mark.parametrize("word", USUAL)
@pytest.mark.parametrize("written", ["{}", "{}!", " {} ", "“{}”", "{}\n", "¡{}!", "{}. 🛑", "\u200e{}\ufe0f"])
def test_the_usual_words_opt_out_however_they_are_written(word, written):
    for text in (word, word.upper(), word.title()):
        assert said(written.format(text), ALL) == "stop"


@pytest.mark.parametrize(
    "text",
    [FULL_WIDTH, BOLD, "S\u200bTOP", "opt–out", "Opt_Out", "stop\u00a0all", "stop  all", "OPT  -  OUT", "/stop"],
)
def test_other_letters_signs_and_blanks_make_no_difference(text):
    assert said(text, ALL) == "stop"


@pytest.mark.parametrize(
    "text",
    [
        *("İPTAL", "IPTAL", "iptal", "abonelikten \u00e7\u0131k", "ABONELİKTEN ÇIK", "ABONELIKTEN CIK"),
        *("désabonner", "DESABONNER", "de\u0301sabonner", "ARRÊT", "arret"),
        *("СТОП", "Стоп!", "отпишите", "Kündigen", "kundigen", "rezygnuję", "REZYGNUJE"),
    ],
)
def test_capitals_and_accents_of_other_languages_make_no_difference(text):
    assert said(text, ALL) == "stop"


@pytest.mark.parametrize("text", ["start", "UNSTOP", "Subscribe!", "opt in", "opt-in", "старт"])
def test_the_other_words_opt_in(text):
    assert said(text, ALL) == "start"


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "!!!", "🛑", "no", "NO!", "yes", "fine", "basta", "ende gut", "nie", "para"),
        *("don't stop", "stop it", "when does it end?"),
        *("please cancel my order", "I quit my job", "S T O P", "stopping", "nonstop", "st op", "stop" + "!" * 100),
        *("İ", "ﬁ", "\ud83d", "stop\nbut only on Mondays", "starting", "let's start"),
    ],
)
def test_what_only_contains_a_word_is_a_message(text):
    assert said(text, ALL) is None


def test_no_word_opts_out_and_in():
    assert not ALL.stop & ALL.start
    assert words_of(PersonaConsent(more_start_words=["stop", "yes"])).start == ALL.start | {"yes"}


def test_every_language_has_a_table_with_words_of_both_kinds_that_count():
    assert set(TABLES) == set(LANGUAGES)
    for language, table in TABLES.items():
        own = words_of(PersonaConsent(languages=[language]))
        assert all(said(word, own) == "stop" for word in table.stop)
        assert all(said(word, own) == "start" for word in table.start)


def test_a_word_that_opts_out_in_one_language_opts_in_in_none():
    # A lead's language is not known, so all tables count for all leads.
    stop = {plain(word) for table in TABLES.values() for word in table.stop}
    start = {plain(word) for table in TABLES.values() for word in table.start}
    assert not stop & start


def test_a_persona_can_have_other_words():
    own = words_of(
        PersonaConsent(languages=["en"], more_stop_words=["Leave me alone"], not_stop_words=["END", "opt-out"])
    )
    assert [said(text, own) for text in ("leave me alone!", "STOP", "end", "opt out", "стоп")] == [
        "stop",
        "stop",
        None,
        None,
        None,
    ]


def test_off_no_word_counts():
    assert words_of(PersonaConsent(enabled=False)) == Words()
    assert said("stop", Words()) is None


def test_a_long_message_is_not_looked_at(monkeypatch):
    monkeypatch.setattr("worker.domain.consent.plain", lambda text: pytest.fail("looked at"))
    assert said("stop" + " " * 100, ALL) is None


def test_what_a_character_becomes_is_worked_out_once():
    characters = type(CHARACTERS)()
    assert characters[ord("\N{LATIN CAPITAL LETTER E WITH ACUTE}")] == "e"
    assert dict(characters) == {ord("\N{LATIN CAPITAL LETTER E WITH ACUTE}"): "e"}


def test_what_was_met_once_is_not_kept_without_end():
    for first in range(0x3400, 0x3400 + 12_000, 20):
        plain("".join(map(chr, range(first, first + 20))))
    assert len(CHARACTERS) <= 10_000


def test_the_page_names_the_words_of_the_tables():
    page = (Path(__file__).parents[3] / "docs" / "consent.md").read_text(encoding="utf-8")
    rows = [row.split("|")[2].split(",") for row in page.splitlines() if row.startswith("| ") and row.count("|") == 3]
    told = [{plain(word) for word in words} for words in rows]
    for table in TABLES.values():
        assert {plain(word) for word in table.stop} in told
