"""Stored reasons: what is written is read back, what 0.1.0 wrote is read, and 0.1.0 finds what it compares."""

from __future__ import annotations

import pytest

from worker.domain.reasons import Reason, of_farewell, read
from worker.domain.sentences import of_reason, of_stored
from worker.domain.vocabulary import STORED_AS, STORED_OF_PERSONA, Cause, figures, stored, stored_of_persona
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
    ("dropped at hand-back", Cause.DROPPED_AT_HAND_BACK),
    ("InvalidEvent: kind: Field required", Cause.INVALID_EVENT),
    ("UnknownPersona: the settings do not have its persona", Cause.PERSONA_NOT_KNOWN),
    ("MissingChannel: ava has no channel context for this target", Cause.CHANNEL_MISSING),
    ("TooLarge: message has 10001 characters, the limit is 10000", Cause.TOO_LARGE),
    ("InboxFull: 500 events of this conversation wait already", Cause.INBOX_FULL),
    ("internal error (KeyError)", Cause.STUMBLED_AT_THE_DOOR),
    ("step 1 of 3, after 4 h of silence", Cause.CADENCE_STEP),
    ("step 1 of 3, after 4 h of silence, moved out of quiet hours in Europe/Berlin", Cause.CADENCE_STEP),
    ("asked for by a producer", Cause.ASKED_FOR),
    ("all personas had their 100 of the day: the next day", Cause.CAP_OF_ALL),
    ("ava had its 3 of the day: the next day", Cause.CAP_OF_PERSONA),
    ("its moment, at 60 an hour", Cause.PACE),
    ("another event waits", Cause.EVENT_IN_FRONT),
    ("late by 7 h", Cause.LATE),
    ("the cadence is over", Cause.CADENCE_OVER),
    ("the cadence has no further step", Cause.NO_FURTHER_STEP),
    ("the lead has had 2 follow-ups, the limit is 2", Cause.LIMIT_OF_LEAD),
    ("the conversation has expired", Cause.CONVERSATION_EXPIRED),
    ("the conversation has no channel", Cause.CHANNEL_MISSING),
    ("the event asked for can no longer be read", Cause.EVENT_GONE),
    ("an event with its id was accepted before", Cause.ID_TAKEN),
    ("cancelled by kim", Cause.CANCELLED),
    ("sealed by an operator", Cause.SEALED_BY_OPERATOR),
    ("the lead wrote", Cause.LEAD_WROTE),
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
    if cause in STORED_AS:
        detail = ""  # It has none: its text is compared as a whole.
    assert read(stored(cause, detail)) == Reason(cause, detail)
    assert read(of_farewell(cause, detail)) == Reason(cause, detail)


@pytest.mark.parametrize("cause", STORED_OF_PERSONA)
def test_why_touches_of_a_persona_wait_is_read_back(cause):
    text = stored_of_persona(cause, "ava")
    assert read(text) == Reason(cause, "persona=ava")
    assert of_stored(text) == text


def test_no_reason_stays_none():
    assert (stored(None), read("")) == ("", None)


def test_what_scripts_of_0_1_0_compare_is_stored_as_they_know_it():
    """They wake, and make give way, what is held for one of the first two; and note once that a touch waits."""
    assert [stored(Cause.QUIET_HOURS), stored(Cause.RAMP)] == ["quiet hours", "outreach ramp"]
    assert stored(Cause.EVENT_IN_FRONT) == "another event waits"
    assert [stored_of_persona(cause, "ava") for cause in STORED_OF_PERSONA] == [
        "ava is paused",
        "ava is quarantined",
        "ava is stopped in its outreach",
        "ava is not configured",
    ]
    assert 'return reason == "quiet hours" or reason == "outreach ramp"' in words()
