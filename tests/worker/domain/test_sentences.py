"""Each cause has a sentence for people, and nothing but a sentence."""

from __future__ import annotations

import pytest

from worker.domain.sentences import of_stored, sentence
from worker.domain.vocabulary import Cause


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_has_a_sentence_also_without_figures(cause):
    told = sentence(cause)
    assert told
    assert "{" not in told
    assert "_" not in told.replace("PARLEY_ENCRYPTION__KEYS", "")


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ("persona_throttled status=429", "throttled by the persona (429)"),
        ("persona_unavailable status=503", "persona unavailable (status 503)"),
        ("persona_unavailable", "persona unavailable (no connection)"),
        ("persona_unknown", "no answer, it may have been acted on (connection lost or timed out)"),
        ("channel_unknown status=502", "no answer from the channel, it may have arrived (status 502)"),
        ("no_answer status=503", "status 503"),
        ("no_answer", "no answer"),
        ("pacing bubble=2 of=3", "next bubble 2 of 3"),
        (
            "interrupted sent=1 of=3",
            "the lead wrote while bubbles went out: 1 of 3 sent; 2 written, not sent",
        ),
        (
            "interrupted sent=2 of=3 doubtful=1",
            "the lead wrote while bubbles went out: 2 of 3 sent; 1 written, not sent, one of these may have arrived",
        ),
        ("outcome_unknown", "outcome unknown: it may have been acted on"),
        ("outcome_unknown status=502", "outcome unknown (status 502): it may have been acted on"),
        ("delivery_unconfirmed status=504", "delivery unconfirmed (status 504): it may have arrived"),
        (
            "outcome_unknown times=5",
            "outcome unknown 5 times while others were answered: it may have been acted on",
        ),
        (
            "gave_up attempts=20 seconds=900 last=persona_unavailable status=503",
            "gave up after 20 attempts in 900 s of pauses: persona unavailable (status 503)",
        ),
        (
            "delivery_refused status=422 bubbles=1",
            "delivery refused by the channel (status 422); bubbles delivered before: 1",
        ),
        (
            "gave_up attempts=2 seconds=9 last=channel_unavailable status=500 bubbles=1",
            "gave up after 2 attempts in 9 s of pauses: channel unavailable (status 500); bubbles delivered before: 1",
        ),
        (
            "poison_error times=6 error=LookupError at=worker.pipeline.turn:12",
            "poison: internal error, 6 times, the last one LookupError at worker.pipeline.turn:12",
        ),
        ("too_old waited=7300 valid=7200", "too old: waited 7300 s, valid for 7200 s"),
        ("openers_bad bad=12 counted=40", "12 of the last 40 openers were ignored, sealed or refused by the channel"),
        (
            "undecryptable key=1f field=payload",
            "content cannot be decrypted: what is stored as payload is not what was encrypted with key 1f",
        ),
        ("undecryptable key=1f", "content cannot be decrypted: key 1f is not in PARLEY_ENCRYPTION__KEYS"),
        ("newer_release text=written by a newer release: a=b c", "written by a newer release: a=b c"),
        ("cadence_step step=1 of=3 silence=14400", "step 1 of 3, after 4 h of silence"),
        ("cadence_step step=1 of=3 silence=86400", "step 1 of 3, after 1 day of silence"),
        ("cadence_step step=2 of=3 silence=1.44e+06", "step 2 of 3, after 16.7 days of silence"),
        ("cadence_step step=2 of=3 silence=90", "step 2 of 3, after 1.5 min of silence"),
        ("cadence_step step=2 of=3 silence=soon", "step 2 of 3, after ? of silence"),
        (
            "cadence_step step=1 of=3 silence=9 zone=Europe/Berlin",
            "step 1 of 3, after 9 s of silence, moved out of quiet hours in Europe/Berlin",
        ),
        ("asked_for", "asked for by a producer"),
        ("credits_out leads=all", "credits out (402)"),
        ("credits_out reason=plan_limit leads=all", "the persona is paused at FluidTalk (plan_limit)"),
        ("nothing_said", "the persona had nothing to say"),
        ("nothing_said reason=duplicate_message", "the persona had nothing to say: duplicate_message"),
        ("cap_of_persona persona=ava limit=3", "ava had its 3 of the day: the next day"),
        ("hourly_pace limit=60", "its moment, at 60 an hour"),
        ("touch_late seconds=25200", "late by 7 h"),
        ("touch_cancelled", "cancelled by a producer"),
        ("touch_cancelled by=kim%20of%20the%20desk", "cancelled by kim of the desk"),
        ("store_refuses code=WRONGTYPE", "the store refuses it (WRONGTYPE)"),
        ("invalid_event text=InvalidEvent: kind: a=b", "InvalidEvent: kind: a=b"),
        ("quiet hours", "quiet hours"),
        ("outreach ramp", "outreach ramp"),
        ("in_line", "the key's own limit of calls: in line"),
    ],
)
def test_the_figures_stand_in_the_sentence(stored, told):
    assert of_stored(stored) == told


@pytest.mark.parametrize(
    "words", ["", "an operator's own words", "gave up after 3 attempts in 9 s: persona unavailable (status 503)"]
)
def test_what_is_no_code_is_shown_as_it_is(words):
    assert of_stored(words) == words


def test_without_a_cause_there_is_no_sentence():
    assert sentence(None) == ""
