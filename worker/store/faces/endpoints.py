"""Endpoints that notices are pushed to: who sends, up to where, what an operator wants. Each has a slot of its own."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import Key


@face()
def take_endpoint(*, endpoint: Key, holder: str, lease_ms: int, kept_ms: Text) -> Any:
    """Take or renew the right to send to an endpoint."""


@face()
def keep_endpoint(
    *,
    endpoint: Key,
    refused: Key,
    fence: str,
    revision: str,
    call: str,
    most_refused: int,
    kept_ms: Text,
    sent: int,
    dropped: int,
    lost: int,
    failed: int,
    letters: str,
    fields: Sequence[str],
) -> Any:
    """Store how far an endpoint is, by who has the right to send."""


@face()
def order_endpoint(
    *, endpoint: Key, what: str, call: str, reason: str, by: str, kept_ms: Text, positions: Sequence[str]
) -> Any:
    """What an operator wants of an endpoint: pause, resume, replay."""
