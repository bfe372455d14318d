"""One odd part, of a request or of an answer, never costs the words; the timeline says what was left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker import from_captivate
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp

REPLY = {
    "reply": "hey you",
    "replies": ["hey", "you"],
    "should_send_photo": False,
    "photo_url": None,
    "session_id": "s",
}
ODD = [True, 7, "SECRET", ["SECRET"], {"SECRET": 1}, [[["SECRET"]]], "", None, 10**400]


@pytest.fixture
def left_out(store, lead):
    """What the timeline says was left out."""
    return lambda: [moment.details[0] for moment in store.timeline.of(lead) if moment.word == "left out"]


@pytest.fixture
def answer(shop):
    """Let the persona answer this to the next chats."""

    def run(body):
        shop.fail(status=200, body=body, path="/api/v1/bot/chat", acts=True)

    return run


def test_what_was_left_out_of_a_request_stands_in_the_timeline(shop, channel, left_out):
    files = [{"type": "image/png", "url": "data:image/png;base64,SECRET"}, None]
    payload = {**channel, "user_input": "look", "hasLivechat": "SECRET", "files": files}
    shop.producer.enqueue(from_captivate(payload, persona="ava", target="@lead"))
    assert shop.work() == ["answered"]
    assert shop.texts() == [["You said: look"]]
    assert left_out() == [
        "files.1: it is null, not an object; hasLivechat: it is neither true nor false; "
        "attachments.0: its link is neither http nor https"
    ]


def test_events_at_once_each_tell_their_own(shop, say, left_out):
    shop.producer.enqueue_many([say("a"), say("b", image_url="/b.jpg"), say("c")])
    assert shop.work() == ["answered, joined 2"]
    assert left_out() == ["image_url: its link is relative"]


def test_a_scheduled_follow_up_tells_it_when_it_is_scheduled(shop, say, channel, left_out):
    metadata = {"internal": {"channelMetadata": {"custom": "SECRET"}}}
    later = datetime.now(UTC) + timedelta(days=1)
    shop.producer.enqueue(say(kind=FollowUp, not_before=later, channel={**channel, "metadata": metadata}))
    assert left_out() == ["metadata.internal.channelMetadata.custom: it is a text, not an object"]


@pytest.mark.parametrize("field", ["reply", "should_send_photo", "photo_url", "session_id", "ignore_reason"])
def test_no_odd_field_of_a_reply_costs_its_text(shop, say, answer, upstreams, store, lead, field):
    for odd in ODD:
        upstreams.clear_faults()
        answer({**REPLY, field: odd})
        shop.producer.enqueue(say("hi"))
        shop.work()
    assert [texts[:2] for texts in shop.texts()] == [["hey", "you"]] * len(ODD)
    assert "SECRET" not in str(store.timeline.of(lead))


@pytest.mark.parametrize(("flag", "sent"), [(1, True), (0, False), ("true", True), ("SECRET", False)])
def test_a_photo_is_sent_when_the_flag_says_so_in_any_way(shop, say, answer, left_out, flag, sent):
    answer({**REPLY, "should_send_photo": flag, "photo_url": "HTTPS://photos.test/a b.jpg"})
    shop.producer.enqueue(say("photo please"))
    assert shop.work() == ["answered"]
    files = [message["files"] for message in shop.delivered()[0].messages if message["type"] == "files"]
    assert [file["url"] for (file,) in files] == (["https://photos.test/a%20b.jpg"] if sent else [])
    assert left_out() == ([] if flag != "SECRET" else ["should_send_photo: it is neither true nor false"])


def test_a_photo_that_cannot_be_sent_does_not_cost_the_text(shop, say, answer, left_out):
    answer({**REPLY, "should_send_photo": True, "photo_url": "/SECRET.jpg"})
    shop.producer.enqueue(say("photo please"))
    assert shop.work() == ["answered"]
    assert shop.texts() == [["hey", "you"]]
    assert left_out() == ["photo_url: its link is relative"]


def test_an_answer_of_which_nothing_can_be_read_is_a_dead_letter(shop, say, answer):
    answer({"reply": None, "should_send_photo": True, "photo_url": "/SECRET.jpg"})
    shop.producer.enqueue(say("photo please"))
    assert shop.work() == ["dead: bad reply: not the documented JSON"]


def test_an_image_that_cannot_be_had_stands_in_the_timeline(shop, say, upstreams, left_out):
    shop.producer.enqueue(say("look", attachments=[{"url": f"{upstreams.fluidtalk_url}/gone.png?SECRET"}]))
    assert shop.work() == ["answered"]
    (told,) = left_out()
    assert told.startswith("image: the image could not be fetched")
    assert "SECRET" not in told


def test_a_note_is_made_once_and_never_for_a_conversation_that_is_gone(shop, store, lead, say, left_out):
    shop.producer.enqueue(say("a"))
    grant = store.steps.begin(lead, "token")
    for _ in range(2):
        store.steps.left_out(grant, "photo_url: its link is relative")
    assert left_out() == ["photo_url: its link is relative"]
    store.redis.delete(store.keys.of(lead).timeline(lead))
    store.steps.left_out(grant, "photo_url: its link is relative")
    assert left_out() == []


@pytest.mark.parametrize("length", [168, 256])
def test_ids_as_platforms_make_them_are_answered(shop, say, channel, length):
    target, session_id = "t" * length, "s" * length
    shop.producer.enqueue(
        say("hi", target=target, event_id="e" * length, channel={**channel, "session_id": session_id})
    )
    assert shop.work(Conversation("ava", target)) == ["answered"]
    assert shop.texts(session_id) == [["You said: hi"]]
