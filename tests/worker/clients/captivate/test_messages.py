"""Every message type has the shape of protocols.md 2.5."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from worker.clients.captivate import (
    ButtonMessageModel,
    Captivate,
    CaptivateValueError,
    CardCollectionModel,
    CardMessageModel,
    FileCollectionModel,
    FileModel,
    HtmlMessageModel,
    TableMessageModel,
    TextMessageModel,
)

CARD = {"text": "t", "description": "d", "image_url": "i", "link": "l"}


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (TextMessageModel(text="hi"), {"type": "text", "text": "hi"}),
        (TextMessageModel(text=""), {"type": "text", "text": ""}),
        (ButtonMessageModel(buttons={}), {"type": "button", "buttons": {}}),
        (ButtonMessageModel(buttons={"a": {"b": [1, None]}}), {"type": "button", "buttons": {"a": {"b": [1, None]}}}),
        (TableMessageModel(table="<table>"), {"type": "table", "table": "<table>"}),
        (HtmlMessageModel(html="<b>&"), {"type": "html", "html": "<b>&"}),
        (CardCollectionModel(cards=[]), {"type": "cards", "cards": []}),
        (CardCollectionModel(cards=[CardMessageModel(**CARD)] * 2), {"type": "cards", "cards": [CARD, CARD]}),
        (
            FileCollectionModel(files=[FileModel(type="a/b", url="u"), FileModel(type="", filename="f")]),
            {
                "type": "files",
                "files": [{"type": "a/b", "url": "u", "filename": None}, {"type": "", "url": None, "filename": "f"}],
            },
        ),
        ({"type": "pause", "time": 300}, {"type": "pause", "time": 300}),
        ({}, {}),
    ],
)
def test_wire_shape(captivate: Captivate, message: Any, wire: dict[str, Any]) -> None:
    captivate.set_response([message, message])
    assert captivate.body()["response"] == [wire, wire]


@pytest.mark.parametrize(
    ("model", "arguments", "field"),
    [
        (TextMessageModel, {}, "text"),
        (TextMessageModel, {"text": 5}, "text"),
        (ButtonMessageModel, {"buttons": [1]}, "buttons"),
        (ButtonMessageModel, {"buttons": {"at": datetime.datetime.now(datetime.UTC)}}, "buttons"),
        (CardMessageModel, {**CARD, "link": None}, "link"),
        (CardCollectionModel, {"cards": [{"text": "secret-word"}]}, "cards.0.link"),
        (FileModel, {"type": "a/b"}, "FileModel"),
        (FileModel, {"type": "a/b", "url": "", "filename": ""}, "FileModel"),
    ],
)
def test_incomplete_models_are_refused_without_quoting_values(
    model: type[BaseModel], arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model(**arguments)
    assert field in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_messages_are_frozen() -> None:
    message = TextMessageModel(text="a")
    with pytest.raises(ValidationError):
        message.text = "b"  # type: ignore[misc]


def test_unknown_keys_are_dropped() -> None:
    assert TextMessageModel(text="a", colour="red").model_dump() == {"type": "text", "text": "a"}  # type: ignore[call-arg]


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


def _looped() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = value["b"] = value
    return value


@pytest.mark.parametrize(
    "message",
    [{"x": math.nan}, {"x": [math.inf]}, {"x": {1, 2}}, {"x": b"b"}, {1: "x"}, _nested(150), _looped()],
    ids=["nan", "infinity", "set", "bytes", "number-key", "deep", "looped"],
)
def test_custom_messages_that_json_cannot_hold_are_refused(captivate: Captivate, message: dict[Any, Any]) -> None:
    with pytest.raises(CaptivateValueError, match="message 1 cannot be sent"):
        captivate.set_response([{"fine": True}, message])
    assert captivate.body()["response"] == []


def test_deep_but_sane_messages_are_sent(captivate: Captivate) -> None:
    message = _nested(60)
    captivate.set_response([message])
    assert captivate.body()["response"] == [message]


def test_a_part_shared_many_times_is_checked_quickly(captivate: Captivate) -> None:
    """Ninety levels that hold the same part twice would be 2^90 visits if each were walked."""
    part: dict[str, Any] = {}
    for _ in range(90):
        part = {"a": part, "b": part}
    with pytest.raises(CaptivateValueError):
        captivate.set_response([{"ok": part, "bad": math.nan}])
