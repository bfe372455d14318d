"""Stored reasons: what is written is read back, what 0.1.0 wrote is read, and 0.1.0 finds what it compares."""

from __future__ import annotations

import pytest

from worker.domain.reasons import Reason, of_farewell, read
from worker.domain.sentences import of_reason
from worker.domain.vocabulary import Cause, figures, stored
from worker.store.redis.lua_words import words

# What 0.1.0 stored, and what is read from it: holds, deaths, other ends.
OF_0_1_0 = [
    ("throttled by the persona (429)", Cause.PERSONA_THROTTLED),
    ("persona unavailable (status 503)", Cause.PERSONA_UNAVAILABLE),
    ("persona unavailable (no connection)", Cause.PERSONA_UNAVAILABLE),
    ("key refused (401)", Cause.KEY_REFUSED),
    ("credits out (402)", Cause.CREDITS_OUT),
    ("no answer, it may have been acted on (connection lost or timed out)", Cause.PERSONA_UNKNOWN),
    ("image cannot be hosted yet (status 503)", Cause.IMAGE_NOT_HOSTED),
    ("channel unavailable (status 500)", Cause.CHANNEL_UNAVAILABLE),
    ("no answer from the channel, it may have arrived (status 502)", Cause.CHANNEL_UNKNOWN),
    ("the key's own limit of calls", Cause.OWN_LIMIT),
    ("next bubble 2 of 3", Cause.PACING),
    ("content cannot be decrypted: key 1f is not in PARLEY_ENCRYPTION__KEYS", Cause.UNDECRYPTABLE),
    ("taken over", Cause.TAKEN_OVER),
    ("refused by the persona (status 422)", Cause.PERSONA_REFUSED),
    ("bad reply: not the documented JSON", Cause.BAD_REPLY),
    ("outcome unknown: it may have been acted on", Cause.OUTCOME_UNKNOWN),
    ("outcome unknown twice: it may have been acted on", Cause.OUTCOME_UNKNOWN),
    ("outcome unknown: it may have been sent, and a double nudge is worse than none", Cause.NUDGE_UNKNOWN),
    ("gave up after 20 attempts in 300 s: throttled by the persona (429)", Cause.GAVE_UP),
    ("poison: its worker vanished 3 times while asking", Cause.POISON_ASKING),
    ("poison: its worker vanished 3 times while delivering", Cause.POISON_DELIVERING),
    ("image cannot be hosted and there is no text", Cause.IMAGE_MISSING),
    ("delivery refused by the channel (status 403)", Cause.DELIVERY_REFUSED),
    ("delivery unconfirmed: it may have arrived", Cause.DELIVERY_UNCONFIRMED),
    ("the conversation is sealed", Cause.SEALED),
    ("the persona ended the conversation", Cause.PERSONA_ENDED),
    ("the lead belongs to another account of the persona", Cause.OWNED_ELSEWHERE),
    ("the lead wrote in the meantime", Cause.LEAD_WROTE),
    ("too old: waited 7300 s, valid for 7200 s", Cause.TOO_OLD),
    ("outreach is stopped, and another event came", Cause.OUTREACH_STOPPED),
    ("it waited for the end of quiet hours, and another event came", Cause.QUIET_GAVE_WAY),
    ("it waited for its moment, and another event came", Cause.RAMP_GAVE_WAY),
    ("the lead's zone is not known", Cause.ZONE_UNKNOWN),
    ("the persona had nothing to say", Cause.NOTHING_SAID),
    ("text lost: the first opener landed, its answer did not arrive", Cause.TEXT_LOST),
    ("the lead already has a live conversation", Cause.ALREADY_LIVE),
    ("no conversation yet (404)", Cause.NO_CONVERSATION),
    ("@lead said 17 things", Cause.OTHER),
]


@pytest.mark.parametrize(("sentence", "cause"), OF_0_1_0)
def test_a_sentence_of_0_1_0_becomes_its_cause_and_is_shown_as_it_was(sentence, cause):
    reason = read(sentence)
    assert (reason.cause, of_reason(reason)) == (cause, sentence)
    assert read(stored(*reason)) == reason, "also when this release stores it again"


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("detail", ["", figures(status=503, bubbles=2)])
def test_what_is_stored_is_read_back(cause, detail):
    if cause in (Cause.QUIET_HOURS, Cause.RAMP):
        detail = ""  # It has none: its text is compared as a whole.
    assert read(stored(cause, detail)) == Reason(cause, detail)
    assert read(of_farewell(cause, detail)) == Reason(cause, detail)


def test_no_reason_stays_none():
    assert (stored(None), read("")) == ("", None)


def test_what_scripts_of_0_1_0_compare_is_stored_as_they_know_it():
    """They wake, and make give way, whoever is held for one of these two."""
    assert [stored(Cause.QUIET_HOURS), stored(Cause.RAMP)] == ["quiet hours", "outreach ramp"]
    assert 'return reason == "quiet hours" or reason == "outreach ramp"' in words()
