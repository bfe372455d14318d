"""Reads Celery messages as kombu writes them into a Redis list."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass


class UnreadableMessage(ValueError):
    """Not a JSON task message with one argument. The text names the part at fault, never its value."""


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """The id and name of a task, and its only argument."""

    task_id: str
    task: str
    argument: object


def read(message: str) -> TaskMessage:
    """Read one message in Celery's protocol 2 with a JSON body. Raises ``UnreadableMessage``."""
    try:
        envelope = json.loads(message)
        headers, body = envelope["headers"], envelope["body"]
        if envelope["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body, validate=True)
        content = json.loads(body)
        arguments, keywords = content[0], content[1] or {}
        task_id, task = headers["id"], headers["task"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise UnreadableMessage("not a JSON message of Celery's protocol 2") from None
    if not isinstance(task_id, str) or not isinstance(task, str):
        raise UnreadableMessage("its task or id is not a text")
    if not isinstance(arguments, list) or not isinstance(keywords, dict) or len(arguments) + len(keywords) != 1:
        raise UnreadableMessage("tasks.accept takes exactly one argument, the event")
    return TaskMessage(task_id, task, arguments[0] if arguments else next(iter(keywords.values())))
