"""A notice as JSON: all names in each, codes in place of sentences, leads as settings say."""

from __future__ import annotations

from config.settings import Privacy
from worker.domain.handles import Handles
from worker.domain.notices import Notice, NoticeType

PLAIN = Handles(Privacy())
HASHED = Handles(Privacy(handles="hashed", handle_key="a key of sixteen"))
AT = 1_800_000_000_123
OF_EVENT = Notice(
    "03-1-7",
    AT,
    NoticeType.EVENT_ANSWERED,
    "ava",
    "@john_doe",
    4,
    event_id="msg-1",
    kind="inbound_chat",
    fate="answered",
    asked=2,
    sent=1,
    accepted_at=AT - 1000,
    ended_at=AT,
)
OF_PERSONA = Notice("00-1-1", AT, NoticeType.PERSONA_HELD, "ava", "", 1, cause="paused")


def test_an_event_s_notice_says_what_became_of_it() -> None:
    assert OF_EVENT.document(PLAIN) == {
        "id": "03-1-7",
        "type": "parley.event.answered",
        "time": "2027-01-15T08:00:00.123Z",
        "persona": "ava",
        "target": "@john_doe",
        "sequence": 4,
        "event_id": "msg-1",
        "kind": "inbound_chat",
        "fate": "answered",
        "cause": None,
        "attempts": {"asked": 2, "sent": 1},
        "accepted_at": "2027-01-15T07:59:59.123Z",
        "ended_at": "2027-01-15T08:00:00.123Z",
        "joined": None,
    }


def test_a_persona_s_notice_has_the_same_names_and_no_event() -> None:
    document = OF_PERSONA.document(PLAIN)
    assert list(document) == list(OF_EVENT.document(PLAIN))
    assert (document["cause"], document["attempts"], document["accepted_at"]) == ("paused", None, None)
    assert (OF_EVENT.is_of_event, OF_PERSONA.is_of_event) == (True, False)


def test_a_lead_is_shown_as_the_settings_say() -> None:
    assert OF_EVENT.document(HASHED)["target"] == HASHED.hash_of("@john_doe")
    assert OF_PERSONA.document(HASHED)["target"] is None, "it is about no lead"


def test_an_event_that_ended_before_any_attempt_says_so() -> None:
    skipped = Notice("03-1-8", AT, NoticeType.EVENT_SKIPPED, "ava", "@john_doe", 5, event_id="msg-2", fate="skipped")
    document = skipped.document(PLAIN)
    assert document["attempts"] == {"asked": 0, "sent": 0}
    assert (document["accepted_at"], document["ended_at"], document["joined"]) == (None, None, None)
