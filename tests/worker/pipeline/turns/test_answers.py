"""What a lead gets, and what the persona was asked."""

from __future__ import annotations

import pytest

from worker import from_captivate
from worker.clients.fluidtalk import FluidTalk
from worker.domain.events import AiOpener, EventTrigger, FollowUp


def test_a_message_is_answered_on_its_channel(shop, say, upstreams, store):
    shop.producer.enqueue(say("hello"))
    assert shop.work() == ["answered"]
    assert shop.texts() == [["You said: hello"]]
    assert shop.fates() == {"answered": 1}


def test_messages_waiting_together_are_one_call_with_line_breaks_in_order(shop, say, upstreams, store):
    for word in ("one", "two", "three"):
        shop.producer.enqueue(say(word))
    assert shop.work() == ["answered, joined 2"]
    assert [call.fields["message"] for call in shop.asked()] == ["one\ntwo\nthree"]
    assert shop.texts() == [["You said: one", "You said: two", "You said: three"]]
    assert shop.fates() == {"answered": 1, "joined": 2}


def test_without_joining_each_message_is_its_own_turn_in_order(make_shop, say, upstreams):
    shop = make_shop(join={"settle_seconds": 0, "max_events": 1})
    for word in ("one", "two"):
        shop.producer.enqueue(say(word))
    shop.work()
    assert shop.texts() == [["You said: one"], ["You said: two"]]


def test_the_photo_comes_last_as_a_file(shop, say, upstreams):
    shop.producer.enqueue(say("photo please"))
    shop.work()
    (delivery,) = upstreams.deliveries("session-1")
    assert [message["type"] for message in delivery.messages] == ["text", "files"]
    (photo,) = delivery.messages[1]["files"]
    assert photo["url"].startswith("http")
    assert photo["type"].startswith("image/")


def test_an_opener_an_event_and_a_follow_up_are_answered_with_one_message(shop, say, upstreams):
    shop.producer.enqueue(say(kind=AiOpener))
    shop.producer.enqueue(say(kind=EventTrigger, event_type="story_reaction", context={"reaction": "🔥"}))
    shop.producer.enqueue(say(kind=FollowUp))
    assert shop.work() == ["answered"] * 3
    assert [call.action for call in shop.asked()] == ["OUTREACH", "ENTRY_POINT", "FOLLOW_UP"]
    assert len(shop.texts()) == 3


def test_the_own_username_of_event_or_persona_goes_along(make_shop, say, upstreams):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "own_username": "@ava"}})
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say("b", own_username="@other"))
    shop.work()
    assert [call.fields["own_username"] for call in shop.asked()] == ["@ava", "@other"]


def test_each_event_is_answered_on_the_channel_it_came_with(shop, say, channel, upstreams):
    shop.producer.enqueue(say("a", image_url="https://example.com/a.jpg"))
    shop.producer.enqueue(say("b", channel={**channel, "session_id": "session-2"}))
    shop.work()
    assert len(shop.texts("session-1")) == len(shop.texts("session-2")) == 1


def test_a_follow_up_without_a_channel_goes_where_the_conversation_last_was(shop, say, upstreams):
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say(kind=FollowUp, channel=None))
    assert shop.work() == ["answered"]
    assert len(shop.texts()) == 2


def test_a_public_image_address_is_passed_on(shop, say, upstreams):
    shop.producer.enqueue(say("look", image_url="https://example.com/a.jpg"))
    shop.work()
    assert shop.asked()[0].fields["image_url"] == "https://example.com/a.jpg"


def test_an_image_of_the_payload_is_hosted_before_the_call(shop, channel, presigned, upstreams):
    payload = {
        **channel,
        "user_input": "look",
        "files": [{"type": "image/png", "storage": {"presignedUrl": presigned}}],
    }
    shop.producer.enqueue(from_captivate(payload, persona="ava", target="@lead"))
    assert shop.work() == ["answered"]
    upload, chat = [call for call in shop.asked() if call.persona == "ava"]
    assert upload.path.endswith("/upload")
    assert chat.fields["image_url"].startswith(upstreams.fluidtalk_url)
    assert "Signature" not in chat.fields["image_url"]


@pytest.mark.parametrize("called", ["evil.html", "scan.pdf", "blob", "../../my photo.JPEG", "a\r\nb", None])
def test_an_image_is_hosted_under_the_type_of_its_bytes(shop, channel, presigned, upstreams, monkeypatch, called):
    names, upload = [], FluidTalk.upload_image

    def noting(self, path=None, data=None, filename=None):
        names.append(filename)
        return upload(self, path, data, filename)

    monkeypatch.setattr(FluidTalk, "upload_image", noting)
    files = [{"type": "application/octet-stream", "filename": called, "url": presigned}]
    payload = {**channel, "user_input": "", "files": files}
    shop.producer.enqueue(from_captivate(payload, persona="ava", target="@lead"))
    assert shop.work() == ["answered"]
    assert [name.rpartition(".")[2] for name in names] == ["png"]


def test_an_image_is_not_hosted_again_for_a_second_attempt(shop, say, presigned, upstreams):
    shop.fail(status=503, path="/api/v1/bot/chat", first=3)
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    shop.work()
    uploads = [call for call in shop.asked() if call.path.endswith("/upload") and call.persona == "ava"]
    assert len(uploads) == 1


def test_an_image_that_is_gone_is_left_out_when_there_are_words(shop, say, upstreams, store):
    gone = f"{upstreams.fluidtalk_url}/gone.png"
    shop.producer.enqueue(say("look", attachments=[{"url": gone}]))
    shop.producer.enqueue(say("", attachments=[{"url": gone}]))
    assert [phrase.partition(":")[0] for phrase in shop.work()] == ["answered", "dead"]
    assert shop.fates() == {"answered": 1, "dead": 1}


def test_an_image_from_this_machine_is_not_fetched_unless_allowed(make_shop, say, presigned, upstreams):
    shop = make_shop(images={"allow_private_addresses": False})
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    shop.work()
    assert "image_url" not in shop.asked()[-1].fields


def test_messages_that_are_asked_together_are_answered_on_the_channel_of_the_newest(shop, say, channel):
    for number in (1, 2):
        own = {**channel, "session_id": f"session-{number}"}
        shop.producer.enqueue(say(f"m{number}", channel=own))
    assert shop.work() == ["answered, joined 1"]
    assert (shop.texts("session-1"), shop.texts("session-2")) == ([], [["You said: m1", "You said: m2"]])
