"""What a Captivate request becomes, whatever else is in it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.unusable_links import UNUSABLE_LINKS
from worker.adapters.captivate_requests import conversation_of, from_captivate
from worker.domain.event_parts import told
from worker.domain.events import parse_json
from worker.domain.refusals import InvalidEvent

PAYLOAD = {
    "session_id": "s1",
    "endpoint": "action",
    "user_input": "hi man",
    "incoming_action": [{"id": "sendEmail", "payload": {"email": "a@b"}}],
    "metadata": {
        "internal": {
            "channelMetadata": {"course_id": "abc", "channelMetadata": {"channel": "c"}, "custom": {"mode": "x"}}
        }
    },
    "hasLivechat": True,
    "DEV_URL_V2": "http://evil.example",
    "response": [{"type": "text", "text": "injected"}],
}
ODD = [None, True, 7, 1.5, math.nan, 10**400, "", "x" * 9000, "\ud83d\x00", [], {}, ["a"], {"a": [None]}, [[[]]]]
REQUEST_PARTS = ["files", "incoming_action", "metadata", "hasLivechat", "endpoint", "SECRET"]
CHANNEL_PARTS = ["user", "channelMetadata", "custom", "private", "conversationCreatedAt", "SECRET"]
FILE_PARTS = ["type", "filename", "url", "storage", "textContent", "SECRET"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


OTHER_FILE = "https://x/f?a=b.jpg"


def image(url="https://files.example/a.jpg?sig=1", **fields):
    return {"type": "image/jpeg", "filename": "a.jpg", "url": url, **fields}


def test_a_captivate_request_becomes_an_inbound_chat_with_its_channel():
    event = from_captivate(PAYLOAD, persona="ava", target="@l", event_id="m1")
    assert (event.message, event.event_id) == ("hi man", "m1")
    assert (event.channel.session_id, event.channel.hasLivechat) == ("s1", True)
    assert event.channel.metadata == PAYLOAD["metadata"]
    assert "evil" not in event.model_dump_json()
    assert "injected" not in event.model_dump_json()


@pytest.mark.parametrize(
    ("file", "url"),
    [
        (image(), "https://files.example/a.jpg?sig=1"),
        (image(url=None, storage={"presignedUrl": "https://s3.example/p"}), "https://s3.example/p"),
        (image(storage={"presignedUrl": "https://s3.example/p"}), "https://s3.example/p"),
    ],
)
def test_an_image_file_becomes_an_attachment(file, url):
    event = from_captivate({**PAYLOAD, "files": [file]}, persona="ava", target="@l")
    assert [attachment.url for attachment in event.attachments] == [url]


def document(text, **fields):
    content = {"type": "file_content", "text": text, "metadata": {"originalFileName": "a.pdf"}}
    return {"type": "application/pdf", "filename": "a.pdf", "file": {}, "textContent": content, **fields}


def test_the_texts_of_documents_come_along_in_their_order():
    files = [document("one"), image(), document("two", url="https://x/a.pdf"), document("three", textContent="three")]
    event = from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l")
    assert event.documents == ("one", "two", "three")
    assert len(event.attachments) == 1
    assert (event.message, event.words) == ("hi man", "hi man\none\ntwo\nthree")


def test_a_document_alone_is_something_to_answer():
    event = from_captivate({**PAYLOAD, "user_input": None, "files": [document("one")]}, persona="ava", target="@l")
    assert (event.message, event.words) == ("", "one")


def test_the_text_of_an_image_is_not_told_beside_the_image():
    event = from_captivate(
        {**PAYLOAD, "files": [image(**document("seen", type="image/png"))]}, persona="ava", target="@l"
    )
    assert (event.documents, len(event.attachments)) == (None, 1)


@pytest.mark.parametrize("content", [None, "", " \n", {}, {"text": None}, {"text": " "}, {"text": 7}, ["one"], 7])
def test_a_document_without_a_text_is_left_out_as_before(content):
    event = from_captivate({**PAYLOAD, "files": [document("", textContent=content)]}, persona="ava", target="@l")
    assert event.documents is None


def test_further_documents_are_left_out_and_named():
    files = [document(f"text {number}") for number in range(52)]
    event = from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l")
    assert len(event.documents) == 50
    assert told(event.left_out) == "files: 2 documents more than 50"


def test_files_that_are_no_images_are_left_out():
    files = [{"type": "application/pdf", "url": "https://x/a.pdf"}, image(), {"type": 7}]
    event = from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l")
    assert len(event.attachments) == 1


@pytest.mark.parametrize(
    "file",
    [
        {"type": "application/octet-stream", "filename": "IMG_0001.JPG"},
        {"type": "binary/octet-stream"},
        {"type": "IMAGE/JPEG; charset=binary"},
        {"type": "Image"},
        {"type": " image/webp "},
        {"type": "jpg"},
        {"type": "application/x-png"},
        {"type": "photo"},
        {"type": ""},
        {"type": 7},
        {"type": ["image"]},
        {"type": None, "filename": "blob"},
        {},
        {"type": "file", "mimetype": "image/png"},
        {"type": "document", "filename": "a.png"},
        {"type": "application/pdf", "name": "a%2Epng"},
        {"type": "text/html", "filename": "what?.gif"},
        {"type": "document", "url": "https://x/a.heic?signature=1"},
        {"type": "application/octet-stream", "filename": "scan.pdf"},
        {"filename": 5},
    ],
)
def test_a_file_that_may_be_a_picture_becomes_an_attachment(file):
    request = {**PAYLOAD, "user_input": "", "files": [{"url": OTHER_FILE, **file}]}
    assert len(from_captivate(request, persona="ava", target="@l").attachments) == 1


@pytest.mark.parametrize(
    "file",
    [
        {"type": "application/pdf"},
        {"type": "application/pdf", "filename": "scan"},
        {"type": "AUDIO/ogg"},
        {"type": "video/mp4", "filename": "a.mp4"},
        {"type": "voice"},
        {"type": "video_note"},
        {"type": "file", "mimetype": "text/html"},
        {"type": "application/octet-stream", "url": None},
    ],
)
def test_a_file_of_another_kind_is_left_out_and_the_words_go_on(file):
    request = {**PAYLOAD, "files": [{"url": OTHER_FILE, **file}]}
    event = from_captivate(request, persona="ava", target="@l")
    assert (event.message, event.attachments) == ("hi man", ())


def test_a_file_with_the_name_of_another_kind_is_tried_only_when_no_other_may_be_a_picture():
    """Each further attachment is an event of its own, which would have nothing to say."""
    files = [{"url": f"https://x/{name}"} for name in ("a.pdf", "b.docx")]
    for more, tried in (([], ["https://x/a.pdf"]), ([{"url": "https://x/c"}], ["https://x/c"])):
        event = from_captivate({**PAYLOAD, "files": files + more}, persona="ava", target="@l")
        assert [each.url for each in event.attachments] == tried


def test_several_images_become_one_event_each_in_order():
    files = [image(f"https://x/{number}.jpg") for number in range(3)]
    event = from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l", event_id="m1")
    parts = event.one_image_each()
    assert [(part.event_id, part.message, part.attachments[0].url) for part in parts] == [
        ("m1", "hi man", "https://x/0.jpg"),
        ("m1#2", "", "https://x/1.jpg"),
        ("m1#3", "", "https://x/2.jpg"),
    ]


@pytest.mark.parametrize("payload", [None, "x", [], {}, {**PAYLOAD, "session_id": None}])
def test_what_is_no_captivate_request_is_refused(payload):
    with pytest.raises(InvalidEvent):
        from_captivate(payload, persona="ava", target="@l")


def test_halves_of_emoji_in_the_metadata_are_repaired():
    broken = {**PAYLOAD, "metadata": {"internal": {"channelMetadata": {"custom": {"k\ud83d": "v\udd25"}}}}}
    from_captivate(broken, persona="ava", target="@l").model_dump_json()


def test_a_file_name_that_nobody_can_use_does_not_keep_a_message_out():
    files = [{"type": "image/png", "filename": "x" * 1025, "url": "https://x/a.png"}]
    event = from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l")
    assert [(each.url, each.filename) for each in event.attachments] == [("https://x/a.png", None)]
    assert event.left_out == (("attachments.0.filename", "it is longer than 1024 characters"),)


@pytest.mark.parametrize(("link", "reason"), UNUSABLE_LINKS.values(), ids=UNUSABLE_LINKS)
def test_a_link_that_cannot_be_used_does_not_cost_the_words(link, reason):
    event = from_captivate({**PAYLOAD, "files": [image(link), image()]}, persona="ava", target="@l")
    assert (event.message, len(event.attachments)) == ("hi man", 1)
    assert event.left_out == (("attachments.0", reason),)


@pytest.mark.parametrize(("link", "reason"), UNUSABLE_LINKS.values(), ids=UNUSABLE_LINKS)
def test_without_words_an_image_that_cannot_be_used_is_refused_with_the_reason(link, reason):
    payload = {**PAYLOAD, "user_input": None, "files": [image(link)]}
    with pytest.raises(InvalidEvent, match=f"nothing to answer \\(left out: attachments.0: {reason}"):
        from_captivate(payload, persona="ava", target="@l")


@pytest.mark.parametrize(
    ("link", "mended"),
    [
        ("HTTPS://X.test/A.jpg", "https://X.test/A.jpg"),
        (" https://x/a b\u202f.jpg?q=1 ", "https://x/a%20b%E2%80%AF.jpg?q=1"),
        ("https://x/" + "a" * 6000, "https://x/" + "a" * 6000),
    ],
)
def test_a_link_with_one_meaning_is_mended(link, mended):
    event = from_captivate({**PAYLOAD, "files": [image(link)]}, persona="ava", target="@l")
    assert (event.attachments[0].url, event.left_out) == (mended, ())
    assert parse_json(event.model_dump_json(exclude_none=True), accepted=True).attachments == event.attachments


def test_a_file_with_two_addresses_is_taken_from_the_one_that_can_be_used():
    file = image("https://x/a.jpg", storage={"presignedUrl": "data:,"})
    event = from_captivate({**PAYLOAD, "files": [file]}, persona="ava", target="@l")
    assert (event.attachments[0].url, event.left_out) == ("https://x/a.jpg", ())


def test_more_images_than_an_event_can_have_do_not_cost_the_words():
    event = from_captivate({**PAYLOAD, "files": [image()] * 60}, persona="ava", target="@l")
    assert (event.message, len(event.attachments)) == ("hi man", 50)
    assert event.left_out == (("files", "10 images more than 50"),)


def test_what_was_left_out_is_told_once_and_briefly():
    files = [image(), image(), *[None] * 5000]
    event = from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l")
    assert len(event.left_out) == 20
    first, second = event.one_image_each()
    assert (first.left_out, second.left_out) == (event.left_out, ())
    assert len(told(event.left_out)) <= 500
    assert told(event.left_out).endswith("; and 10 more")


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_no_odd_part_of_a_request_costs_the_words(odd):
    def words(payload):
        event = from_captivate(payload, persona="ava", target="@l", event_id="m1")
        event.model_dump_json(exclude_none=True)
        conversation_of(event.channel).body()
        assert "SECRET" not in told(event.left_out)
        return event.message

    for part in REQUEST_PARTS:
        assert words({**PAYLOAD, part: odd}) == "hi man"
    for part in CHANNEL_PARTS:
        for wrapped in ({part: odd}, {"user": {"email": odd}}, {"custom": {"SECRET": odd}}):
            metadata = {"internal": {"channelMetadata": wrapped}}
            assert words({**PAYLOAD, "metadata": metadata}) == "hi man"
    for part in FILE_PARTS:
        assert words({**PAYLOAD, "files": [image(**{part: odd}), odd]}) == "hi man"


@given(JSON)
def test_no_metadata_costs_the_words(metadata):
    payload = {**PAYLOAD, "metadata": metadata, "files": metadata, "incoming_action": metadata, "hasLivechat": metadata}
    event = from_captivate(payload, persona="ava", target="@l")
    assert event.message == "hi man"
    event.model_dump_json(exclude_none=True)
    json.dumps(conversation_of(event.channel).body(), allow_nan=False)


def test_a_number_is_its_digits():
    event = from_captivate({**PAYLOAD, "session_id": 7, "user_input": 5}, persona="ava", target="@l")
    assert (event.message, event.channel.session_id) == ("5", "7")


def test_ids_as_platforms_make_them_fit():
    for length in (168, 200, 256):
        payload = {**PAYLOAD, "session_id": "s" * length}
        event = from_captivate(payload, persona="ava", target="t" * length, event_id="e" * length)
        assert parse_json(event.model_dump_json(exclude_none=True)) == event
