"""CloudEvents 1.0 in structured form: an envelope becomes the event that it carries.

Source: CloudEvents 1.0.2, JSON event format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.web.problems import Problem

_TYPES = "parley."
# What the envelope says; the data must not say it again.
_SAID_BY = {"kind": "type", "event_id": "id", "persona": "subject", "target": "subject"}


def is_one(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such an envelope. No event has a field of this name."""
    return "specversion" in value


def event_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The event: ``id`` is its id, ``type`` its kind behind ``parley.``, ``subject`` is ``persona/target``; ``data``
    has the other fields. Attributes of other names are left out, as the standard demands.

    Raises ``Problem`` that names the attribute at fault.
    """
    if envelope["specversion"] != "1.0":
        raise _refused("specversion", "the version is not 1.0")
    kind = _text(envelope, "type")
    if not kind.startswith(_TYPES):
        raise _refused("type", "it does not begin with parley.")
    _text(envelope, "source")
    persona, separator, target = _text(envelope, "subject").partition("/")
    if not separator:
        raise _refused("subject", "it is not persona/target")
    event = {"kind": kind.removeprefix(_TYPES), "event_id": _text(envelope, "id"), "persona": persona, "target": target}
    if isinstance(traceparent := envelope.get("traceparent"), str):
        event["traceparent"] = traceparent
    return {**event, **_data(envelope)}


def _data(envelope: Mapping[str, Any]) -> dict[str, Any]:
    media_type = envelope.get("datacontenttype") or "application/json"
    if not isinstance(media_type, str) or media_type.partition(";")[0].strip().lower() != "application/json":
        raise _refused("datacontenttype", "it is not application/json")
    if "data_base64" in envelope:
        raise _refused("data_base64", "the data is JSON: put it into data")
    data = envelope.get("data")
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _refused("data", "it is no JSON object")
    for name, attribute in _SAID_BY.items():
        if name in data:
            raise _refused(f"data.{name}", f"the attribute {attribute} says it")
    return data


def _text(envelope: Mapping[str, Any], name: str) -> str:
    value = envelope.get(name)
    if not isinstance(value, str) or not value:
        raise _refused(name, "it is missing, or no text")
    return value


def _refused(field: str, reason: str) -> Problem:
    return Problem("refused", f"{field}: {reason}", cause="invalid_event", field=field)
