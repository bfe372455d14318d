"""The one reader of foreign task messages, for every queue and broker. What can be Celery's or kombu's own code is.

A message is given as kombu writes it into a Redis list: a JSON text. One that came otherwise is made such a text first
(``text_of``), so that no queue reads differently.
"""

from __future__ import annotations

import base64
import codecs
import json
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from worker.clients.values.wire_text import shallow
from worker.store.queues.decompression import NotUnpacked, unpack

TASK = "tasks.accept"

_JSON = "application/json"
# Names of ``codecs``. Python knows further ones that take long for short texts.
_ENCODINGS = ("utf-8", "ascii", "iso8859-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
# Celery says so of bytes that it leaves alone.
_NO_ENCODING = ("binary", "ascii-8bit")
_AFTERWARDS = ("callbacks", "errbacks", "chain", "chord")


class UnreadableMessage(ValueError):
    """Not a task message that can be understood. The text names the part at fault, never its value."""


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """What a message asks for. ``afterwards``: the names of what Celery would run after the task. ``eta`` and
    ``expires``: as they were sent; ``in_utc``: what a time without zone is meant in."""

    task_id: str
    task: str
    arguments: tuple[object, ...]
    keywords: dict[str, object]
    afterwards: tuple[str, ...] = ()
    eta: object = None
    expires: object = None
    in_utc: bool = True

    @property
    def argument(self) -> object:
        """The only argument. Raises ``UnreadableMessage``."""
        if len(self.arguments) + len(self.keywords) != 1:
            raise UnreadableMessage("tasks.accept takes exactly one argument, the event")
        return next(iter((*self.arguments, *self.keywords.values())))

    def not_before(self) -> datetime | None:
        """The time that ``countdown`` or ``eta`` asks to wait for, with its zone. Raises ``UnreadableMessage``."""
        return _time("eta", self.eta, in_utc=self.in_utc)

    def not_after(self) -> datetime | None:
        """The time from which on ``expires`` forbids the task, with its zone. Raises ``UnreadableMessage``."""
        return _time("expires", self.expires, in_utc=self.in_utc)


def read(message: str) -> TaskMessage:
    """Read one message of Celery's protocol 1 or 2 with a JSON body. Raises ``UnreadableMessage``."""
    try:
        envelope = _loads(message)
        headers, properties = envelope.get("headers") or {}, envelope.get("properties") or {}
        content = _loads(_text(envelope, headers, properties))
        return _task(content, headers)
    except UnreadableMessage:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise UnreadableMessage("not a JSON message of Celery's protocol 1 or 2") from None


def is_event(message: str) -> bool:
    """Whether it is meant for Parley, wherever it lies."""
    try:
        return read(message).task == TASK
    except UnreadableMessage:
        return False


def text_of(message: Any) -> str:
    """A message that kombu has received, as the text that ``read`` takes."""
    body, encoding, headers = message.body, message.content_encoding, message.headers or {}
    if isinstance(body, str):
        body, encoding = body.encode("utf-8", "surrogatepass"), "utf-8"
    if isinstance(headers, dict) and not message.errors:
        # Kombu has unpacked it.
        headers = {name: value for name, value in headers.items() if name != "compression"}
    return json.dumps(
        {
            "body": base64.b64encode(body if isinstance(body, bytes) else bytes(body or b"")).decode(),
            "content-type": message.content_type,
            "content-encoding": encoding,
            "headers": headers,
            "properties": {"body_encoding": "base64"},
        },
        default=repr,
    )


def _text(envelope: Any, headers: Any, properties: Any) -> str:
    body = envelope["body"]
    if not isinstance(body, str):
        raise UnreadableMessage("its body is not a text")
    as_it_is = properties.get("body_encoding") is None and not headers.get("compression")
    data = body if as_it_is else _bytes(body, headers, properties)
    _check_content_type(envelope.get("content-type"))
    return data if isinstance(data, str) else _decoded(data, envelope.get("content-encoding"))


def _bytes(body: str, headers: Any, properties: Any) -> bytes:
    from kombu.transport.virtual.base import Base64

    encoding = properties.get("body_encoding")
    if encoding not in (None, "base64"):
        raise UnreadableMessage("its body_encoding is not base64")
    data: bytes = Base64().decode(body) if encoding else body.encode()
    compression = headers.get("compression")
    if not compression:
        return data
    try:
        return unpack(data, compression)
    except NotUnpacked as fault:
        raise UnreadableMessage(str(fault)) from None


def _check_content_type(content_type: object) -> None:
    # Who writes a message by hand leaves it out, and is understood.
    if not content_type:
        return
    kind = content_type.partition(";")[0].strip().lower() if isinstance(content_type, str) else ""
    if kind == _JSON:
        return
    from kombu import serialization

    # Never decoded: a pickle is code. Only a name that kombu knows is told.
    known = cast(Any, serialization).registry.type_to_name.get(kind)
    raise UnreadableMessage(f"its content type is {known or 'another one'}, not {_JSON}: send task_serializer='json'")


def _decoded(data: bytes, encoding: object) -> str:
    name = encoding if encoding and isinstance(encoding, str) else "utf-8"
    try:
        codec = codecs.lookup("utf-8" if name.lower() in _NO_ENCODING else name).name
    except (LookupError, ValueError):
        codec = ""
    if codec not in _ENCODINGS:
        raise UnreadableMessage("its content encoding is not known here: send utf-8")
    try:
        # Some write a byte order mark.
        return data.decode("utf-8-sig" if codec == "utf-8" else codec)
    except UnicodeDecodeError:
        raise UnreadableMessage(f"its body is not the text in {codec} that it says it is") from None


def _loads(text: str) -> Any:
    from kombu.utils.json import loads

    try:
        return loads(text, object_hook=_plain)
    except RecursionError:
        return loads(shallow(text), object_hook=_plain)


def _plain(value: dict[str, Any]) -> Any:
    """Kombu's own reading of a value that carries its type, as the JSON that the value would be without."""
    from kombu.utils.json import object_hook

    try:
        typed = object_hook(value)
    except Exception:
        # A type of the sender's own, or a value that is none of its type.
        raise UnreadableMessage("a value that carries its type (__type__) cannot be read: send plain JSON") from None
    if typed is value:
        return value
    if isinstance(typed, bytes):
        return base64.b64encode(typed).decode() if value["__type__"] == "base64" else typed.decode()
    return typed.isoformat() if hasattr(typed, "isoformat") else str(typed)


def _task(content: Any, headers: dict[str, Any]) -> TaskMessage:
    in_utc: Any = True
    if isinstance(content, dict):
        (arguments, keywords, embedded), headers, in_utc = _of_protocol_1(content, headers)
    else:
        arguments, keywords, *further = content
        embedded = further[0] if further else {}
    task_id, task = headers["id"], headers["task"]
    if not isinstance(task_id, str) or not isinstance(task, str):
        raise UnreadableMessage("its task or id is not a text")
    if not isinstance(arguments, list | tuple) or not isinstance(keywords or {}, dict):
        raise UnreadableMessage("its arguments are not a list and an object")
    return TaskMessage(
        task_id,
        task,
        tuple(arguments),
        keywords or {},
        tuple(name for name in _AFTERWARDS if isinstance(embedded, dict) and embedded.get(name)),
        headers.get("eta"),
        headers.get("expires"),
        bool(in_utc),
    )


def _of_protocol_1(content: dict[str, Any], headers: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    from celery.exceptions import InvalidTaskError
    from celery.worker import strategy

    # As Celery itself tells them apart.
    celery: Any = strategy
    convert = celery.hybrid_to_proto2 if "args" in content else celery.proto1_to_proto2
    try:
        body, found, _, in_utc = convert(SimpleNamespace(headers=headers), content)
    except InvalidTaskError:
        raise UnreadableMessage("its arguments are not a list and an object") from None
    return body, found, in_utc


def _time(name: str, value: object, *, in_utc: bool) -> datetime | None:
    if value is None or value == "":
        return None
    from celery.utils.time import is_naive, maybe_iso8601, maybe_make_aware

    if not isinstance(value, str):
        raise UnreadableMessage(f"its {name} is not a time in ISO 8601")
    try:
        found = maybe_iso8601(value)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise UnreadableMessage(f"its {name} is not a time in ISO 8601")
    if is_naive(found) and not in_utc:
        raise UnreadableMessage(f"its {name} has no time zone: send it in UTC (enable_utc)")
    # A time without zone is one in UTC: so Celery writes and reads it.
    return maybe_make_aware(found)
