"""Whatever a server answers and whatever a caller says: a result or a FluidTalkError, and never the key in a text."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.clients.fluidtalk import ActionResult, ChatResult, FluidTalk, FluidTalkError, InvalidCall, UploadResult
from worker.clients.values.wire_text import from_json, repair, to_json

KEY = "ft_sk_" + "0123456789"
any_text = st.text(st.characters(codec=None, categories=None))  # lone surrogates included
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.just(KEY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
documented_names = st.sampled_from(
    [field.name for result in (ChatResult, ActionResult, UploadResult) for field in dataclasses.fields(result)]
)
any_body = st.one_of(
    st.binary(max_size=300),
    any_json.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(documented_names, any_json, max_size=8).map(lambda value: json.dumps(value).encode()),
    st.just(KEY.encode()),
    st.just(b'{"detail": "' + KEY.encode() + b'"}'),
)
header_text = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40) | st.just(KEY)
calls: st.SearchStrategy[Callable[[FluidTalk], Any]] = st.sampled_from(
    [
        lambda client: client.inbound_chat("@lead", "hi"),
        lambda client: client.ai_opener("@lead"),
        lambda client: client.event_trigger("@lead", "e", {"a": 1}),
        lambda client: client.follow_up("@lead"),
        lambda client: client.upload_image(data=b"image"),
    ]
)
on_the_wire = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def shown(error: BaseException) -> str:
    """What a log or an error reporter would show: every text of the chain."""
    texts, seen = ["".join(traceback.format_exception(error))], set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        texts += [str(link), repr(link), repr(link.args)]
        links += [link.__cause__, link.__context__]
    return "\n".join(texts)


def result_of(client: FluidTalk, call: Callable[[FluidTalk], Any]) -> Any:
    """A result whose texts can be stored and sent on, or None after a FluidTalkError that shows no key."""
    result, error = None, None
    try:
        result = call(client)
    except FluidTalkError as caught:
        error = caught
    if error is not None:
        assert KEY not in shown(error)
        assert error.acted in ("no", "unknown")
        assert error.retry_after is None or error.retry_after >= 0
        json.dumps(error.detail, ensure_ascii=False).encode()
        return None
    assert isinstance(result, ChatResult | ActionResult | UploadResult)
    repr(result).encode()
    return result


@on_the_wire
@given(status=st.integers(200, 999), body=any_body, retry_after=header_text, call=calls)
def test_any_complete_answer_ends_as_result_or_fluidtalk_error(
    server: Any, fluidtalk: FluidTalk, status: int, body: bytes, retry_after: str, call: Callable[[FluidTalk], Any]
) -> None:
    server.answers(status, body, Retry_After=retry_after)
    result = result_of(fluidtalk, call)
    if isinstance(result, ChatResult):
        assert isinstance(result.replies, list)
        assert all(isinstance(bubble, str) and bubble for bubble in result.replies)
        assert type(result.ignored) is type(result.should_send_photo) is bool
    assert result is None or 200 <= status < 300


@on_the_wire
@given(
    wire=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail),
        st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + tail),
        st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail),
        st.sampled_from([b"%b\r\n\r\n", b"HTTP/1.1 200 OK\r\nA\x01: %b\r\n\r\n", b"HTTP/1.1 %b OK\r\n\r\n"]).map(
            lambda template: template % KEY.encode()
        ),
    ),
    call=calls,
)
def test_any_bytes_at_all_end_as_result_or_fluidtalk_error(
    server: Any, fluidtalk: FluidTalk, wire: bytes, call: Callable[[FluidTalk], Any]
) -> None:
    server.wire = wire
    result_of(fluidtalk, call)


@on_the_wire
@given(target=any_text, message=any_text, own_username=any_text, image_url=any_text)
def test_any_text_arrives_as_it_was_said_or_repaired(
    server: Any, fluidtalk: FluidTalk, target: str, message: str, own_username: str, image_url: str
) -> None:
    server.answers(200, {})
    server.requests.clear()
    if not target:
        with pytest.raises(InvalidCall):
            fluidtalk.inbound_chat(target, message, own_username, image_url)
        assert server.requests == []
        return
    fluidtalk.inbound_chat(target, message, own_username, image_url)
    said = {
        "target": target,
        "message": message,
        "own_username": own_username or "@our_account",
        "image_url": image_url,
    }
    assert server.last_form == {name: repair(text) for name, text in said.items() if text}


@on_the_wire
@given(data=st.binary(min_size=1, max_size=100), filename=any_text)
def test_any_file_name_leaves_the_part_whole(server: Any, fluidtalk: FluidTalk, data: bytes, filename: str) -> None:
    """One part, its bytes as given, and no more headers than the two that belong there."""
    server.answers(200, {"url": "https://uploads.test/1"})
    fluidtalk.upload_image(data=data, filename=filename)
    head, _, body = server.requests[-1].partition(b"\r\n\r\n")
    boundary = b"--" + head.partition(b"boundary=")[2].partition(b"\r\n")[0]
    assert body.startswith(boundary + b"\r\n")
    assert body.endswith(b"\r\n" + boundary + b"--\r\n")
    part_head, _, content = body[len(boundary) + 2 : -len(boundary) - 6].partition(b"\r\n\r\n")
    assert content == data
    assert [line.partition(b":")[0] for line in part_head.split(b"\r\n")] == [b"Content-Disposition", b"Content-Type"]


@settings(deadline=None)
@given(base_url=any_text.map(lambda text: f"http://127.0.0.1:1/{text}"))
def test_any_path_prefix_ends_as_fluidtalk_error(base_url: str) -> None:
    """Nothing listens there: every address is either refused or not reached."""
    with FluidTalk(KEY, base_url=base_url) as client, pytest.raises(FluidTalkError) as caught:
        client.follow_up("@lead")
    assert caught.value.acted == "no"
    assert KEY not in shown(caught.value) + repr(client)


@settings(deadline=None)
@given(key=any_text.map(lambda text: KEY + text))
def test_any_key_is_taken_or_refused_without_being_shown(key: str) -> None:
    try:
        text = repr(FluidTalk(key))
    except InvalidCall as error:
        text = shown(error)
    assert KEY not in text


@given(any_text)
def test_a_repaired_text_is_utf_8_and_whole_text_is_left_alone(text: str) -> None:
    repaired = repair(text)
    repaired.encode()
    assert repair(repaired) == repaired
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        assert repaired == text


@given(any_json)
def test_json_is_utf_8_and_reads_back_as_it_was_but_repaired(value: Any) -> None:
    try:
        text = to_json(value)
    except ValueError:
        assert "NaN" in json.dumps(value) or "Infinity" in json.dumps(value)
        return
    text.encode()
    assert from_json(text) == from_json(json.dumps(value))
