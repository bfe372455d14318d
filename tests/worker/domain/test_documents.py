"""Which documents of a message a persona gets."""

from __future__ import annotations

import pytest

from worker.domain.documents import with_documents
from worker.domain.event_parts import told
from worker.domain.events import InboundChat, parse_json
from worker.domain.refusals import InvalidEvent


def chat(message="look", **fields):
    return InboundChat(persona="ava", target="@l", message=message, **fields)


def test_a_message_without_documents_stays_the_same():
    event = chat()
    assert with_documents(event, wanted=False, most_characters=1) is event


def test_documents_that_are_not_wanted_are_left_out_and_named():
    event = with_documents(chat(documents=["SECRET", "SECRET"]), wanted=False, most_characters=100)
    assert (event.documents, event.words) == (None, "look")
    assert told(event.left_out) == (
        "documents.0: the persona has DOCUMENTS=leave_out; documents.1: the persona has DOCUMENTS=leave_out"
    )


@pytest.mark.parametrize(
    ("message", "documents", "kept"),
    [
        ("look", ["12345"], ["12345"]),
        ("look", ["123456"], []),
        ("look", ["123456", "1234", "", "1"], ["1234"]),
        ("", ["1234567890"], ["1234567890"]),
        ("", ["12345", "1234"], ["12345", "1234"]),
        ("", ["12345", "12345"], ["12345"]),
    ],
)
def test_what_does_not_fit_is_left_out_as_a_whole(message, documents, kept):
    event = with_documents(chat(message, documents=documents), wanted=True, most_characters=10)
    assert [text for text in event.documents or () if text] == kept
    assert len(event.words) <= 10


def test_the_reason_tells_sizes_and_no_text():
    event = with_documents(chat(documents=["SECRET"]), wanted=True, most_characters=8)
    assert told(event.left_out) == "documents.0: 6 characters, and LIMITS__MESSAGE_CHARACTERS has room for 3 more"


@pytest.mark.parametrize("wanted", [True, False])
def test_an_event_of_which_nothing_is_left_is_refused(wanted):
    with pytest.raises(InvalidEvent, match=r"nothing to answer \(left out: documents\.0: "):
        with_documents(chat("", documents=["SECRET"]), wanted=wanted, most_characters=5)


def test_older_workers_can_read_a_message_without_documents():
    stored = chat().model_dump_json(exclude_none=True)
    assert "documents" not in stored
    assert parse_json(chat(documents=["one"]).model_dump_json(exclude_none=True), accepted=True).documents == ("one",)


def test_further_images_have_no_documents():
    images = [{"url": "https://x/1.png"}, {"url": "https://x/2.png"}]
    first, second = chat(documents=["one"], attachments=images).one_image_each()
    assert (first.documents, second.documents) == (("one",), None)
