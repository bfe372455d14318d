"""Each way to fail has its class, tells whether the server acted, and survives pickling; no text quotes an answer."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from worker.clients.fluidtalk import (
    BadReply,
    ConversationNotFound,
    ConversationSealed,
    CreditsExhausted,
    FluidTalk,
    FluidTalkError,
    InvalidCall,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.clients.fluidtalk.errors import error_for

BY_STATUS: list[tuple[int, type[FluidTalkError], str]] = [
    (300, Rejected, "unknown"),
    (301, Rejected, "unknown"),
    (308, Rejected, "unknown"),
    (400, Rejected, "no"),
    (401, Unauthorized, "no"),
    (402, CreditsExhausted, "no"),
    (403, Unauthorized, "no"),
    (404, ConversationNotFound, "no"),
    (405, Rejected, "no"),
    (408, Throttled, "no"),
    (409, Rejected, "no"),
    (413, Rejected, "no"),
    (415, Rejected, "no"),
    (422, Rejected, "no"),
    (425, Throttled, "no"),
    (429, Throttled, "no"),
    (499, Rejected, "no"),
    (500, OutcomeUnknown, "unknown"),
    (501, OutcomeUnknown, "unknown"),
    (502, OutcomeUnknown, "unknown"),
    (503, Unavailable, "no"),
    (504, OutcomeUnknown, "unknown"),
    (520, OutcomeUnknown, "unknown"),
    (999, OutcomeUnknown, "unknown"),
]


@pytest.mark.parametrize(
    ("status", "body", "foreign"),
    [
        (404, {"detail": "no conversation"}, False),
        (200, {"error": "none of the documented fields"}, False),
        (307, {"detail": "elsewhere"}, True),
        *((status, body, True) for status in (200, 400, 403, 404) for body in (b"<html>", b"", b"null", b'"text"')),
        *((status, body, False) for status in (200, 404, 422) for body in (b"[1]", b"[" * 99_999)),
    ],
)
def test_what_is_no_answer_of_fluidtalk_itself_is_told(
    server: Any, fluidtalk: FluidTalk, status: int, body: Any, foreign: bool
) -> None:
    server.answers(status, body)
    with pytest.raises(FluidTalkError) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert caught.value.foreign is foreign
    assert pickle.loads(pickle.dumps(caught.value)).foreign is foreign


@pytest.mark.parametrize(("status", "kind", "acted"), BY_STATUS)
def test_a_status_has_its_class(
    server: Any, fluidtalk: FluidTalk, status: int, kind: type[FluidTalkError], acted: str
) -> None:
    server.answers(status, {"detail": "said the server", "code": 7})
    with pytest.raises(FluidTalkError) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.acted, error.retry_after) == (status, acted, None)
    assert error.detail == {"detail": "said the server", "code": 7}
    assert str(status) in str(error)
    assert "said the server" not in str(error) + repr(error)


def test_not_modified_is_rejected_without_a_body(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(304)
    with pytest.raises(Rejected) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert (caught.value.status, caught.value.detail) == (304, {"detail": ""})


def test_a_switch_of_protocols_that_nobody_asked_for_is_no_answer(server: Any, fluidtalk: FluidTalk) -> None:
    server.wire = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n"
    with pytest.raises(OutcomeUnknown) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert caught.value.status == 0


# Sealed

SEALED = [
    {"detail": "This session is DONE"},
    {"detail": "DONE"},
    {"detail": "DONE: session sealed"},
    {"detail": "session=DONE."},
    "This session is DONE",
    b"This session is DONE",
    b"<h1>This session is DONE</h1>",
]
NOT_SEALED = [
    {"detail": "This session is done"},
    {"detail": "This session is ABANDONED"},
    {"detail": "DONE_SOON is not a state"},
    {"detail": "UNDONE"},
    {"detail": None},
    {"detail": ["DONE"]},
    {"detail": [{"msg": "field required", "input": "DONE"}]},
    {"detail": {"input": "DONE"}},
    {"message": "This session is DONE"},
    {"detail": "message too long", "input": "are you DONE yet"},
    {"DONE": "detail"},
    ["DONE"],
    None,
    b"",
]


@pytest.mark.parametrize("body", SEALED, ids=str)
def test_400_with_the_word_done_is_a_sealed_conversation(server: Any, fluidtalk: FluidTalk, body: Any) -> None:
    server.answers(400, body)
    with pytest.raises(ConversationSealed) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert (caught.value.status, caught.value.acted) == (400, "no")


@pytest.mark.parametrize("body", NOT_SEALED, ids=str)
def test_400_without_the_word_done_in_its_detail_is_not(server: Any, fluidtalk: FluidTalk, body: Any) -> None:
    """What a lead wrote, quoted in another field, must not close the lead's conversation for ever."""
    server.answers(400, body)
    with pytest.raises(Rejected):
        fluidtalk.inbound_chat("@lead", "hi")


@pytest.mark.parametrize("status", [401, 404, 409, 422, 500, 503])
def test_done_with_another_status_is_not_a_sealed_conversation(server: Any, fluidtalk: FluidTalk, status: int) -> None:
    server.answers(status, {"detail": "This session is DONE"})
    with pytest.raises(FluidTalkError) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert not isinstance(caught.value, ConversationSealed)


# Retry-After


@pytest.mark.parametrize("status", [301, 400, 402, 408, 429, 500, 503])
def test_f20_every_error_exposes_retry_after(server: Any, fluidtalk: FluidTalk, status: int) -> None:
    server.answers(status, {"detail": "slow down"}, Retry_After="12")
    with pytest.raises(FluidTalkError) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert caught.value.retry_after == 12.0


def test_f20_a_date_counts_from_now(server: Any, fluidtalk: FluidTalk) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    server.answers(429, {}, Retry_After=date)
    with pytest.raises(Throttled) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert caught.value.retry_after is not None
    assert 80 < caught.value.retry_after <= 90


# Errors as values

EVERY_KIND = [
    *(error_for(status, {"detail": "content"}, 1.5) for status, _, _ in BY_STATUS),
    error_for(400, {"detail": "This session is DONE"}, None),
    InvalidCall("target is empty"),
    Unavailable(0, {"error": "network_error"}, "nothing was sent"),
    OutcomeUnknown(0, {"error": "network_error"}, "no answer"),
    BadReply(200, {"detail": "<html>"}, "not JSON"),
]


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(lambda error: pickle.loads(pickle.dumps(error)), id="pickle"),
        *(
            pytest.param(lambda error, p=protocol: pickle.loads(pickle.dumps(error, p)), id=f"pickle-{protocol}")
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
    ],
)
@pytest.mark.parametrize("error", EVERY_KIND, ids=lambda error: f"{type(error).__name__}-{error.status}")
def test_an_error_survives_pickle_and_copy(
    error: FluidTalkError, duplicate: Callable[[FluidTalkError], FluidTalkError]
) -> None:
    other = duplicate(error)
    assert type(other) is type(error)
    assert (str(other), other.args) == (str(error), error.args)
    assert vars(other) == vars(error)
    assert other.acted == error.acted


def test_an_error_keeps_its_notes_in_a_pickle() -> None:
    error = error_for(500, None, None)
    error.add_note("turn 7")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["turn 7"]


def test_every_answer_has_a_text_of_its_own_that_says_what_to_do_next() -> None:
    texts = {type(error): str(error) for error in (error_for(status, None, None) for status, _, _ in BY_STATUS)}
    explanations = {kind.explanation for kind in texts}
    assert len(explanations) == len(texts) == 7
    assert all(text.endswith(kind.explanation) and ";" in text for kind, text in texts.items())


def test_the_documented_way_to_handle_errors_works(server: Any, fluidtalk: FluidTalk) -> None:
    """Callers of the published client look at ``status``; seed FluidTalk "Behaviour to handle"."""
    for status in (401, 402, 400, 404):
        server.answers(status, {"detail": "This session is DONE"})
        try:
            fluidtalk.inbound_chat(target="@lead", message="hi")
        except FluidTalkError as error:
            seen = error.status
        assert seen == status


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param({"detail": "no"}, {"detail": "no"}, id="object"),
        pytest.param({"error": {"code": 1}}, {"error": {"code": 1}}, id="other-object"),
        pytest.param([{"loc": ["target"]}], [{"loc": ["target"]}], id="list"),
        pytest.param("no", "no", id="string"),
        pytest.param(None, None, id="null"),
        pytest.param(b"", {"detail": ""}, id="empty"),
        pytest.param(b"<html>", {"detail": "<html>"}, id="html"),
        pytest.param(b'\xef\xbb\xbf{"detail": "no"}', {"detail": "no"}, id="byte-order-mark"),
        pytest.param(b'{"detail": "\\ud83d no"}', {"detail": "\N{REPLACEMENT CHARACTER} no"}, id="half-a-character"),
        pytest.param(b"[" * 100_000, {"detail": "[" * 100_000}, id="too-deep"),
        pytest.param(b"9" * 10_000, "9" * 10_000, id="too-long-a-number"),
    ],
)
def test_f19_detail_is_the_whole_body(server: Any, fluidtalk: FluidTalk, body: Any, detail: Any) -> None:
    server.answers(422, body)
    with pytest.raises(Rejected) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert caught.value.detail == detail
    json.dumps(caught.value.detail, ensure_ascii=False).encode()
