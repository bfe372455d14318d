"""A notice as it goes out: a CloudEvent in structured form, signed as in Standard Webhooks.

Sources: CloudEvents 1.0.2, JSON event format; Standard Webhooks 1.0.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from standardwebhooks import Webhook

MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"
SOURCE = "/parley"

# Attributes of the envelope; all else of a notice is its data.
_ATTRIBUTES = ("id", "time", "type")


def envelope(notice: Mapping[str, Any]) -> bytes:
    """The body of a notice, the same at every try. ``notice``: its fields, as docs/notices.md lists them."""
    target = notice.get("target")
    event = {
        "specversion": "1.0",
        "source": SOURCE,
        **{name: notice[name] for name in _ATTRIBUTES},
        "subject": f"{notice['persona']}/{target}" if target else notice["persona"],
        "datacontenttype": "application/json",
        "data": {name: value for name, value in notice.items() if name not in _ATTRIBUTES},
    }
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode("ascii")


class Signer:
    """Signs with all secrets of an endpoint, so that its receiver may know any of them."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._webhooks = [Webhook(secret) for secret in secrets]

    def headers(self, notice_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """The headers of a call. ``now``: when it is made, with its zone."""
        text = body.decode("ascii")
        return {
            "Content-Type": MEDIA_TYPE,
            "webhook-id": notice_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(webhook.sign(notice_id, now, text) for webhook in self._webhooks),
        }
