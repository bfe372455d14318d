"""Whatever a stranger posts and whatever the server answers: one family of errors, and never a hand on our answer."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.clients.captivate import Captivate, CaptivateClient, CaptivateError, CaptivatePayloadError, TextMessageModel
from worker.clients.values.odd_values import text_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
OBJECT = st.dictionaries(st.text(), JSON, max_size=3)
MAYBE = st.none() | st.text()


def loosely(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is documented, sometimes anything."""
    return st.one_of(strategy, strategy, strategy, JSON)


USER = st.fixed_dictionaries({}, optional={key: loosely(MAYBE) for key in ("firstName", "lastName", "email", "x")})
CHANNEL = st.fixed_dictionaries(
    {},
    optional={
        "user": loosely(USER),
        "channelMetadata": loosely(OBJECT),
        "custom": loosely(OBJECT),
        "private": loosely(OBJECT),
        "conversationCreatedAt": loosely(MAYBE),
        "course_id": JSON,
    },
)
METADATA = loosely(
    st.fixed_dictionaries({"internal": loosely(st.fixed_dictionaries({"channelMetadata": loosely(CHANNEL)}))})
)
ACTION = st.fixed_dictionaries({"id": loosely(st.text())}, optional={"payload": JSON, "data": JSON, "action": JSON})
INJECTED = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("response", "outgoing_action", "DEV_URL", "PROD_URL_V2", "base_url", "_messages", "_actions", "body"), JSON
    ),
)
REQUEST = st.builds(
    lambda request, injected: {**injected, **request},
    st.fixed_dictionaries(
        {"session_id": loosely(st.text()), "metadata": METADATA},
        optional={
            "user_input": loosely(MAYBE),
            "hasLivechat": loosely(st.booleans()),
            "files": loosely(st.lists(OBJECT)),
            "incoming_action": loosely(st.lists(loosely(ACTION))),
        },
    ),
    INJECTED,
)


def _parse(payload: object) -> Captivate | None:
    try:
        return Captivate.parse(payload)
    except CaptivatePayloadError:
        return None


@given(JSON)
def test_anything_parses_or_raises_the_one_error(payload: object) -> None:
    _parse(payload)


@given(REQUEST)
def test_only_the_session_refuses_a_request(payload: dict[str, Any]) -> None:
    captivate = _parse(payload)
    assert (captivate is None) == (text_of(payload["session_id"]) is None)
    if captivate is not None:
        assert captivate.get_user_input() == text_of(payload.get("user_input"))


@given(REQUEST)
def test_what_is_as_documented_is_read_as_by_the_model(payload: dict[str, Any]) -> None:
    try:
        strict = Captivate(**payload)
    except (ValidationError, TypeError):
        return
    captivate = Captivate.parse(payload)
    assert captivate.left_out == ()
    assert captivate.body() == strict.body()


@given(REQUEST)
@settings(max_examples=300)
def test_a_request_never_sets_the_answer(payload: dict[str, Any]) -> None:
    captivate = _parse(payload)
    if captivate is None:
        return
    body = captivate.body()
    assert set(body) == {"response", "session_id", "metadata", "outgoing_action", "hasLivechat"}
    assert (body["response"], body["outgoing_action"]) == ([], None)
    assert body["session_id"] == text_of(payload["session_id"])
    json.dumps(body, allow_nan=False)


@given(REQUEST)
def test_an_accepted_request_can_always_be_worked_with(payload: dict[str, Any]) -> None:
    captivate = _parse(payload)
    if captivate is None:
        return
    for read in (
        captivate.get_channel, captivate.get_user, captivate.get_conversation_title, captivate.get_files,
        captivate.get_incoming_action, captivate.get_user_input, captivate.get_created_at, captivate.get_updated_at,
    ):  # fmt: skip
        read()
    captivate.set_conversation_title("t")
    captivate.set_user({"email": "e"})
    captivate.set_response([TextMessageModel(text="a")])
    captivate.escalate_to_human()
    assert captivate.body()["response"] == [{"type": "text", "text": "a"}]


HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"Retry-After", b"Location", b"Content-Type", b"Content-Length", b"Transfer-Encoding", b"X"]),
        st.binary(max_size=12) | st.sampled_from([b"0", b"chunked", b"9" * 500, b"Wed, 21 Oct 2015 07:28:00 GMT"]),
    ),
    max_size=3,
)
ANSWERS = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda status, headers, body: (
            b"HTTP/1.1 %d X\r\n" % status + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n" + body
        ),
        st.integers(100, 999),
        HEADERS,
        st.binary(max_size=40),
    ),
)


@given(reply=ANSWERS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answer_is_a_result_or_the_one_family_of_errors(server: Any, captivate: Captivate, reply: bytes) -> None:
    server.reply = reply.replace(b"Content-Length", b"content-length")  # so that the recorder closes afterwards
    answer: Any = None
    failure: CaptivateError | None = None
    with contextlib.closing(CaptivateClient(base_url=server.origin, timeout=2)) as client:
        try:
            answer = client.send_message(captivate)
        except CaptivateError as error:
            failure = error
    assert answer is None or isinstance(answer, dict)
    assert failure is None or failure.acted in ("no", "unknown")
    assert "session-secret" not in str(failure)
