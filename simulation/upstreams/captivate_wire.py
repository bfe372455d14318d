"""Whether a body is what Captivate's send API takes: five keys, nulls included (protocols.md 2.4 to 2.6).

Messages are only required to be objects, since a custom message may be any object, whatever its ``type`` (2.5).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

_BODY_KEYS = ("response", "session_id", "metadata", "outgoing_action", "hasLivechat")
_METADATA_KEYS = ("user", "channelMetadata", "custom", "private", "conversationCreatedAt", "conversationUpdatedAt")
_USER_KEYS = ("firstName", "lastName", "email")
_ACTION_KEYS = ("id", "payload", "data")

Problems = list[str]


def read_body(body: bytes) -> tuple[Any, Problems]:
    """The parsed body and what is wrong with it; nothing if it may be sent. No problem quotes a value."""
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except ValueError:
        return None, ["the body is not JSON in UTF-8"]
    problems: Problems = []
    if _has_keys(problems, "body", content, _BODY_KEYS):
        _check(problems, "session_id", content["session_id"], _is_text, "text")
        _check(problems, "hasLivechat", content["hasLivechat"], _is_flag, "true or false")
        _check_response(problems, content["response"])
        _check_metadata(problems, content["metadata"])
        _check_actions(problems, content["outgoing_action"])
    return content, problems


def _check_response(problems: Problems, response: Any) -> None:
    if _check(problems, "response", response, _is_list, "a list"):
        for number, message in enumerate(response):
            _check(problems, f"response[{number}]", message, _is_object, "an object")


def _check_metadata(problems: Problems, metadata: Any) -> None:
    if not _has_keys(problems, "metadata", metadata, ("internal",)):
        return
    if not _has_keys(problems, "metadata.internal", metadata["internal"], ("channelMetadata",)):
        return
    place = "metadata.internal.channelMetadata"
    channel = metadata["internal"]["channelMetadata"]
    if not _has_keys(problems, place, channel, _METADATA_KEYS):
        return
    for key in ("channelMetadata", "custom", "private"):
        _check(problems, f"{place}.{key}", channel[key], _is_object, "an object")
    for key in ("conversationCreatedAt", "conversationUpdatedAt"):
        _check(problems, f"{place}.{key}", channel[key], _is_text_or_null, "text or null")
    user = channel["user"]
    if user is not None and _has_keys(problems, f"{place}.user", user, _USER_KEYS):
        for key in _USER_KEYS:
            _check(problems, f"{place}.user.{key}", user[key], _is_text_or_null, "text or null")


def _check_actions(problems: Problems, actions: Any) -> None:
    if actions is None or not _check(problems, "outgoing_action", actions, _is_list, "a list or null"):
        return
    for number, action in enumerate(actions):
        place = f"outgoing_action[{number}]"
        if not _has_keys(problems, place, action, _ACTION_KEYS):
            continue
        _check(problems, f"{place}.id", action["id"], _is_text, "text")
        _check(problems, f"{place}.payload", action["payload"], _is_filled_object_or_null, "a filled object or null")
        if action["payload"] != action["data"]:
            problems.append(f"{place}: payload and data must be equal")


def _has_keys(problems: Problems, place: str, value: Any, keys: tuple[str, ...]) -> bool:
    """Whether ``value`` is an object with all these keys. Others are reported, no more."""
    if not _check(problems, place, value, _is_object, "an object"):
        return False
    missing = [key for key in keys if key not in value]
    problems.extend(f"{place}: the key {key} is missing" for key in missing)
    unknown = len(value) - (len(keys) - len(missing))
    if unknown:
        problems.append(f"{place}: only the keys {', '.join(keys)} are known, there are {unknown} others")
    return not missing


def _check(problems: Problems, place: str, value: Any, holds: Callable[[Any], bool], expected: str) -> bool:
    if holds(value):
        return True
    problems.append(f"{place}: expected {expected}")
    return False


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_filled_object_or_null(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and bool(value))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
