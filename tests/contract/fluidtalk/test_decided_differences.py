"""Where we differ from the published client on purpose: each row of protocols.md 1.8 decided otherwise than "match".

Each test shows both sides, so that a new published version that mends a quirk is noticed.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fluidtalk as published
import pytest

import worker.clients.fluidtalk as ours

KEY = "ft_sk_" + "0123456789"


@pytest.fixture
def mine(recorder: Any) -> Iterator[ours.FluidTalk]:
    with ours.FluidTalk(KEY, base_url=recorder.url) as client:
        yield client


@pytest.fixture
def theirs(recorder: Any) -> published.FluidTalk:
    return published.FluidTalk(KEY, base_url=recorder.url)


def answers(recorder: Any, status: int, body: Any, **headers: str) -> None:
    """The same answer for both clients."""
    for _ in range(2):
        recorder.will_answer(status, body, **headers)


def test_f2_an_empty_target(recorder: Any, mine: Any, theirs: Any) -> None:
    theirs.inbound_chat("", "")
    assert len(recorder.requests) == 1
    with pytest.raises(ours.InvalidCall):
        mine.inbound_chat("", "")
    assert len(recorder.requests) == 1


def test_f3_an_empty_event_type(recorder: Any, mine: Any, theirs: Any) -> None:
    theirs.event_trigger("@lead", "")
    assert len(recorder.requests) == 1
    with pytest.raises(ours.InvalidCall):
        mine.event_trigger("@lead", "")
    assert len(recorder.requests) == 1


def test_f5_an_upload_of_nothing(recorder: Any, mine: Any, theirs: Any) -> None:
    theirs.upload_image(data=b"")
    assert [content for request in recorder.requests for _, _, content in request.files] == [b""]
    with pytest.raises(ours.InvalidCall):
        mine.upload_image(data=b"")
    assert len(recorder.requests) == 1


def test_f6_a_missing_file(recorder: Any, mine: Any, theirs: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "missing.jpg")
    with pytest.raises(FileNotFoundError):
        theirs.upload_image(path)
    with pytest.raises(ours.InvalidCall):
        mine.upload_image(path)
    assert recorder.requests == []


def test_f7_half_a_character(recorder: Any, mine: Any, theirs: Any) -> None:
    with pytest.raises(UnicodeEncodeError):
        theirs.inbound_chat("@lead", "hi \ud83d")
    assert recorder.requests == []
    mine.inbound_chat("@lead", "hi \ud83d")
    assert recorder.requests[0].fields == [("target", "@lead"), ("message", "hi \N{REPLACEMENT CHARACTER}")]


def test_f7_half_a_character_in_a_context(recorder: Any, mine: Any, theirs: Any) -> None:
    for client in (theirs, mine):
        client.event_trigger("@lead", "e", {"a": "\ud83d"})
    sent = [dict(request.fields)["entry_context"] for request in recorder.requests]
    assert sent == [{"a": "\ud83d"}, {"a": "\N{REPLACEMENT CHARACTER}"}]


def test_f7_a_context_json_cannot_hold(recorder: Any, mine: Any, theirs: Any) -> None:
    with pytest.raises(TypeError):
        theirs.event_trigger("@lead", "e", {"at": object()})
    with pytest.raises(ours.InvalidCall):
        mine.event_trigger("@lead", "e", {"at": object()})
    assert recorder.requests == []


def test_f8_null_replies(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 200, {"reply": None, "replies": None})
    result = theirs.inbound_chat("@lead", "hi")
    assert (result.reply, result.replies) == (None, None)
    result = mine.inbound_chat("@lead", "hi")
    assert (result.reply, result.replies) == ("", [])


@pytest.mark.parametrize(
    ("body", "exception"), [(b"<html></html>", None), (b"", None), ([], AttributeError), (None, AttributeError)]
)
def test_f9_an_answer_that_is_no_object(
    recorder: Any, mine: Any, theirs: Any, body: Any, exception: type[Exception] | None
) -> None:
    answers(recorder, 200, body)
    if exception:
        with pytest.raises(exception):
            theirs.inbound_chat("@lead", "hi")
    else:
        assert theirs.inbound_chat("@lead", "hi").replies == []
    with pytest.raises(ours.BadReply):
        mine.inbound_chat("@lead", "hi")


def test_f9_an_object_about_something_else(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 200, {"error": "upstream"})
    assert theirs.inbound_chat("@lead", "hi").replies == []
    with pytest.raises(ours.BadReply):
        mine.inbound_chat("@lead", "hi")


def test_f10_the_string_false(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 200, {"reply": "hi", "replies": ["hi"], "ignored": "false"})
    assert theirs.inbound_chat("@lead", "hi").ignored is True
    assert mine.inbound_chat("@lead", "hi").ignored is False


def test_f11_replies_as_a_string(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 200, {"reply": "hi", "replies": "hi"})
    assert list(theirs.inbound_chat("@lead", "hi").replies) == ["h", "i"]
    assert mine.inbound_chat("@lead", "hi").replies == ["hi"]


def test_f12_a_reply_without_replies(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 200, {"reply": "hi"})
    assert theirs.inbound_chat("@lead", "hi").replies == []
    assert mine.inbound_chat("@lead", "hi").replies == ["hi"]


def test_f13_an_upload_without_url(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 200, {})
    assert theirs.upload_image(data=b"x").url is None
    with pytest.raises(ours.BadReply):
        mine.upload_image(data=b"x")


@pytest.mark.parametrize(("status", "method", "repeated"), [(302, "GET", False), (307, "POST", True)])
def test_f14_a_redirect_to_another_host(
    recorder: Any, mine: Any, theirs: Any, status: int, method: str, repeated: bool
) -> None:
    """``localhost`` and ``127.0.0.1`` are two hosts to a client."""
    elsewhere = recorder.url.replace("127.0.0.1", "localhost") + "/chat"
    recorder.will_answer(status, b"", Location=elsewhere)
    theirs.inbound_chat("@lead", "a secret")
    followed = recorder.requests[1]
    assert (followed.method, followed.key, bool(followed.fields)) == (method, KEY, repeated)

    recorder.requests.clear()
    recorder.will_answer(status, b"", Location=elsewhere)
    with pytest.raises(ours.Rejected):
        mine.inbound_chat("@lead", "a secret")
    assert len(recorder.requests) == 1


def test_f15_a_redirect_to_nowhere(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 302, {"reply": "hi", "replies": ["hi"]})
    assert theirs.inbound_chat("@lead", "hi").replies == ["hi"]
    with pytest.raises(ours.Rejected):
        mine.inbound_chat("@lead", "hi")


def test_f16_a_key_with_a_line_break(recorder: Any) -> None:
    with pytest.raises(published.FluidTalkError) as quoted:
        published.FluidTalk(f"{KEY}\n", base_url=recorder.url).inbound_chat("@lead", "hi")
    assert KEY in str(quoted.value)
    with pytest.raises(ours.InvalidCall) as silent:
        ours.FluidTalk(f"{KEY}\n", base_url=recorder.url)
    assert KEY not in str(silent.value)
    assert recorder.requests == []


def test_f17_finer_classes_for_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(published.FluidTalkError):
            published.FluidTalk(KEY, base_url=url, timeout=0.1).inbound_chat("@lead", "hi")
        with ours.FluidTalk(KEY, base_url=url, timeout=0.1) as client, pytest.raises(ours.OutcomeUnknown):
            client.inbound_chat("@lead", "hi")
    with pytest.raises(published.FluidTalkError):
        published.FluidTalk(KEY, base_url=url).inbound_chat("@lead", "hi")
    with ours.FluidTalk(KEY, base_url=url) as client, pytest.raises(ours.Unavailable):
        client.inbound_chat("@lead", "hi")


def test_f18_text_without_charset(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 502, "Überlast".encode(), Content_Type="text/plain")
    with pytest.raises(published.FluidTalkError) as latin:
        theirs.inbound_chat("@lead", "hi")
    with pytest.raises(ours.OutcomeUnknown) as utf8:
        mine.inbound_chat("@lead", "hi")
    assert latin.value.detail == {"detail": "Überlast".encode().decode("latin-1")}
    assert utf8.value.detail == {"detail": "Überlast"}


def test_f20_retry_after(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 429, {}, Retry_After="3")
    with pytest.raises(published.FluidTalkError) as without:
        theirs.inbound_chat("@lead", "hi")
    with pytest.raises(ours.Throttled) as with_it:
        mine.inbound_chat("@lead", "hi")
    assert not hasattr(without.value, "retry_after")
    assert with_it.value.retry_after == 3.0


def test_no_content_in_the_text_of_an_error(recorder: Any, mine: Any, theirs: Any) -> None:
    answers(recorder, 422, {"detail": "what the lead wrote"})
    with pytest.raises(published.FluidTalkError, match="what the lead wrote"):
        theirs.inbound_chat("@lead", "hi")
    with pytest.raises(ours.Rejected) as caught:
        mine.inbound_chat("@lead", "hi")
    assert "what the lead wrote" not in str(caught.value)


def test_a_file_part_says_its_type(recorder: Any, mine: Any, theirs: Any) -> None:
    """protocols.md 1.3: accepted, and more useful to a server that checks it."""
    for client in (theirs, mine):
        client.upload_image(data=b"x", filename="a.png")
    assert [request.part_types for request in recorder.requests] == [[None], ["image/png"]]


def test_a_backslash_in_a_file_name_is_escaped(recorder: Any, mine: Any, theirs: Any) -> None:
    """As a quoted string of MIME wants it; not decided by a row, no platform sends such names."""
    for client in (theirs, mine):
        client.upload_image(data=b"x", filename="a\\b.jpg")
    assert [request.files[0][1] for request in recorder.requests] == ["a\\b.jpg", "a\\\\b.jpg"]


def test_text_that_is_no_string_is_refused(recorder: Any, mine: Any, theirs: Any) -> None:
    """A list would be sent as several fields of the same name."""
    theirs.inbound_chat("@lead", ["a", "b"])
    assert recorder.requests[0].fields == [("target", "@lead"), ("message", "a"), ("message", "b")]
    with pytest.raises(ours.InvalidCall):
        mine.inbound_chat("@lead", ["a", "b"])
    assert len(recorder.requests) == 1


def test_not_a_number_in_a_context(recorder: Any, mine: Any, theirs: Any) -> None:
    theirs.event_trigger("@lead", "e", {"x": float("nan")})
    assert json.dumps(dict(recorder.requests[0].fields)["entry_context"]) == '{"x": NaN}'
    with pytest.raises(ours.InvalidCall):
        mine.event_trigger("@lead", "e", {"x": float("nan")})
