"""What the tests of the door for Celery-only producers share."""

from __future__ import annotations

import base64
import json

from worker.domain.conversation import Conversation

LEAD = Conversation("ava", "@lead")

SMALL = {"message_characters": 100, "inbox_events": 2}


def push(store, event, task_id, task="tasks.accept"):
    """As Celery does: at the left of the list."""
    body = base64.b64encode(json.dumps([[event], {}, {}]).encode()).decode()
    headers = {"id": task_id, "task": task}
    message = {"body": body, "headers": headers, "properties": {"body_encoding": "base64"}}
    store.redis.lpush("accept", json.dumps(message))
