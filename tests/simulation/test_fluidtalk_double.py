"""The published client, ``fluidtalk==1.0.3``, finds in the double what the documents promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fluidtalk import FluidTalk, FluidTalkError

from simulation.upstreams.control import SimulatedUpstreams

OWNED_ELSEWHERE = "duplicate lead, owned by another account"

CALLS: dict[str, Callable[[FluidTalk, str], object]] = {
    "inbound_chat": lambda client, target: client.inbound_chat(target, "hi"),
    "ai_opener": lambda client, target: client.ai_opener(target),
    "event_trigger": lambda client, target: client.event_trigger(target, "story_reaction"),
    "follow_up": lambda client, target: client.follow_up(target),
}


def failure_of(call: Callable[[], object]) -> FluidTalkError:
    with pytest.raises(FluidTalkError) as caught:
        call()
    return caught.value


def test_a_chat_is_answered_by_one_bubble_for_each_line(ava: FluidTalk) -> None:
    result = ava.inbound_chat("@lead", "hey, saw your post!\n\nwho is this? 🔥")

    assert result.replies == ["You said: hey, saw your post!", "You said: who is this? 🔥"]
    assert result.reply == "\n".join(result.replies)
    assert (result.should_send_photo, result.photo_url) == (False, None)
    assert (result.ignored, result.ignore_reason) == (False, None)


def test_the_engine_session_stays_the_same_for_a_conversation_only(ava: FluidTalk, bea: FluidTalk) -> None:
    first = ava.inbound_chat("@lead", "one").session_id

    assert ava.inbound_chat("@lead", "two").session_id == first
    assert ava.follow_up("@lead").session_id == first
    assert len({first, ava.inbound_chat("@other", "one").session_id, bea.inbound_chat("@lead", "one").session_id}) == 3


def test_photo_please_gets_a_photo_that_can_be_fetched(ava: FluidTalk) -> None:
    result = ava.inbound_chat("@lead", "a photo please")

    assert result.replies == ["You said: a photo please"]
    assert result.should_send_photo
    assert result.photo_url
    photo = httpx.get(result.photo_url)
    assert photo.headers["content-type"] == "image/png"
    assert photo.content.startswith(b"\x89PNG\r\n\x1a\n")


def test_an_opener_speaks_first_and_is_silent_in_a_live_conversation(ava: FluidTalk) -> None:
    opener = ava.ai_opener("@lead")
    assert opener.message == "Hello @lead, this is ava."
    assert (opener.continued, opener.continued_reason) == (False, None)

    again = ava.ai_opener("@lead")
    assert again.message == ""
    assert (again.continued, again.continued_reason) == (True, "conversation_already_active")


def test_an_event_starts_a_conversation_or_is_folded_in(ava: FluidTalk) -> None:
    first = ava.event_trigger("@lead", "story_reaction", {"reaction": "🔥"})
    assert first.message == 'You did: story_reaction {"reaction": "🔥"}'
    assert not first.continued

    folded = ava.event_trigger("@lead", "profile_visit")
    assert folded.message == "You did: profile_visit"
    assert (folded.continued, folded.continued_reason) == (True, "conversation_already_active")


def test_a_follow_up_needs_a_conversation(ava: FluidTalk) -> None:
    error = failure_of(lambda: ava.follow_up("@lead"))
    assert error.status == 404
    assert "detail" in error.detail

    ava.ai_opener("@lead")
    assert ava.follow_up("@lead").message == "Are you still there, @lead?"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_sealed_conversation_answers_400_done(
    call: Callable[[FluidTalk, str], object], ava: FluidTalk, upstreams: SimulatedUpstreams
) -> None:
    ava.inbound_chat("@lead", "hi")
    upstreams.seal("ava", "@lead")

    error = failure_of(lambda: call(ava, "@lead"))

    assert error.status == 400
    assert error.detail == {"detail": "This session is DONE"}
    assert ava.inbound_chat("@other", "hi").replies == ["You said: hi"]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_lead_of_another_account_is_ignored(
    call: Callable[[FluidTalk, str], object], ava: FluidTalk, upstreams: SimulatedUpstreams
) -> None:
    upstreams.own_elsewhere("ava", "@lead")

    result = call(ava, "@lead")

    assert result.ignored  # type: ignore[attr-defined]
    assert result.ignore_reason == OWNED_ELSEWHERE  # type: ignore[attr-defined]
    assert not getattr(result, "replies", []) + [text for text in [getattr(result, "message", "")] if text]
    assert [call.acted for call in upstreams.calls()] == [False]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_wrong_key_is_refused(call: Callable[[FluidTalk, str], object], upstreams: SimulatedUpstreams) -> None:
    error = failure_of(lambda: call(FluidTalk("ft_sk_wrong", base_url=upstreams.fluidtalk_url), "@lead"))

    assert (error.status, error.detail) == (401, {"detail": "Invalid or missing API key"})
    assert "ft_sk_wrong" not in "".join(call.to_json() for call in upstreams.calls())


def test_without_credits_no_conversation_starts_but_running_ones_go_on(
    ava: FluidTalk, bea: FluidTalk, upstreams: SimulatedUpstreams
) -> None:
    upstreams.set_credits("ava", 1)
    ava.ai_opener("@first")

    starts = [call for name, call in CALLS.items() if name != "follow_up"]
    for call in starts:
        error = failure_of(lambda call=call: call(ava, "@second"))  # type: ignore[misc]
        assert error.status == 402
        assert "credits" in error.detail["detail"]

    assert ava.inbound_chat("@first", "still here").replies == ["You said: still here"]
    assert ava.follow_up("@first").message
    assert bea.ai_opener("@second").message
    upstreams.set_credits("ava", None)
    assert ava.ai_opener("@second").message == "Hello @second, this is ava."


def test_images_arrive_by_address_and_by_file(ava: FluidTalk, tmp_path: Path, upstreams: SimulatedUpstreams) -> None:
    picture = tmp_path / 'my "first" größe.jpg'
    picture.write_bytes(b"\xff\xd8\xff" + b"x" * 2000)

    result = ava.inbound_chat(
        "@lead", "what do you think?", image_url="http://127.0.0.1/a.jpg", image_path=str(picture)
    )
    ava.ai_opener("@second", image_path=str(picture))
    ava.event_trigger("@third", "visit", image_url="http://127.0.0.1/b.jpg")

    assert result.replies == [
        "You said: what do you think?",
        "You sent an image: http://127.0.0.1/a.jpg",
        f"You sent an image: {picture.name}",
    ]
    file = {"name": picture.name, "bytes": 2003}
    assert [call.fields.get("file") for call in upstreams.calls()] == [file, file, None]
    assert upstreams.calls()[2].fields["image_url"] == "http://127.0.0.1/b.jpg"


def test_an_uploaded_image_is_hosted(ava: FluidTalk) -> None:
    content = b"GIF89a" + bytes(range(256)) * 50

    url = ava.upload_image(data=content, filename="größe #1.gif").url
    fetched = httpx.get(url)

    assert fetched.content == content
    assert fetched.headers["content-type"] == "image/gif"
    assert ava.upload_image(data=content, filename="größe #1.gif").url != url
    assert ava.inbound_chat("@lead", "", image_url=url).replies == [f"You sent an image: {url}"]


def test_the_own_username_reaches_the_log(upstreams: SimulatedUpstreams) -> None:
    client = FluidTalk("ft_sk_ava", base_url=upstreams.fluidtalk_url, own_username="@my_account")
    client.inbound_chat("@lead", "hi")
    client.follow_up("@lead", own_username="@another")

    assert [call.fields["own_username"] for call in upstreams.calls()] == ["@my_account", "@another"]


CHAT, ACTION, UPLOAD = "/api/v1/bot/chat", "/api/v1/bot/action", "/api/v1/bot/upload"


@pytest.mark.parametrize(
    ("path", "fields", "wrong_field"),
    [
        (CHAT, {"message": "hi"}, "target"),
        (CHAT, {"target": "", "message": "hi"}, "target"),
        (CHAT, {"target": "@lead"}, "message"),
        (ACTION, {"action": "OUTREACH"}, "target"),
        (ACTION, {"target": "@lead"}, "action"),
        (ACTION, {"target": "@lead", "action": "outreach"}, "action"),
        (ACTION, {"target": "@lead", "action": "ENTRY_POINT"}, "entry_type"),
        (
            ACTION,
            {"target": "@lead", "action": "ENTRY_POINT", "entry_type": "x", "entry_context": "{"},
            "entry_context",
        ),
        (
            ACTION,
            {"target": "@lead", "action": "ENTRY_POINT", "entry_type": "x", "entry_context": "1"},
            "entry_context",
        ),
        (ACTION, {"target": "@lead", "action": "FOLLOW_UP", "image_url": "http://127.0.0.1/a.jpg"}, "image_url"),
        (UPLOAD, {}, "file"),
    ],
)
def test_fields_that_make_no_sense_are_refused_by_name(
    path: str, fields: dict[str, str], wrong_field: str, upstreams: SimulatedUpstreams
) -> None:
    answer = httpx.post(upstreams.fluidtalk_url + path, data=fields, headers={"X-API-Key": "ft_sk_ava"})

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", wrong_field]]
    assert not upstreams.calls()[0].acted


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps({"target": "@lead", "message": "hi"}).encode()),
        ("application/x-www-form-urlencoded", b"target=%ff%fe&message=hi"),
        ("application/x-www-form-urlencoded", b"target"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--y\r\nnonsense"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\na\r\n--x--',
        ),
    ],
)
def test_a_body_that_is_no_form_is_refused(content_type: str, body: bytes, upstreams: SimulatedUpstreams) -> None:
    headers = {"X-API-Key": "ft_sk_ava", "Content-Type": content_type}
    answer = httpx.post(upstreams.fluidtalk_url + CHAT, content=body, headers=headers)

    assert (answer.status_code, type(answer.json()["detail"])) == (422, str)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", CHAT, 405), ("POST", "/api/v2/bot/chat", 404)])
def test_unknown_addresses_are_refused_and_recorded(
    method: str, path: str, status: int, upstreams: SimulatedUpstreams
) -> None:
    answer = httpx.request(method, upstreams.fluidtalk_url + path, headers={"X-API-Key": "ft_sk_ava"})

    assert answer.status_code == status
    assert [(call.method, call.path, call.status) for call in upstreams.calls()] == [(method, path, status)]


def test_an_empty_upload_and_an_endless_one_are_refused(ava: FluidTalk) -> None:
    assert failure_of(lambda: ava.upload_image(data=b"")).status == 422
    assert failure_of(lambda: ava.upload_image(data=b"x" * (10 * 1024 * 1024 + 1))).status == 413
    assert failure_of(lambda: ava.upload_image(data=b"x" * (33 * 1024 * 1024))).status == 413
