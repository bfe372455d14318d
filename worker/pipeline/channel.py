"""Where replies go, as a turn sees it."""

from __future__ import annotations

from typing import Any, Protocol

from worker.domain.events import ChannelContext
from worker.domain.reply import Reply


class Channel(Protocol):
    """``worker.adapters.channel.CaptivateChannel``. Raises ``CallFailed``."""

    def message_of(self, context: ChannelContext, reply: Reply, sent: int) -> dict[str, Any]: ...
    def send(self, message: dict[str, Any], idempotency_key: str) -> None: ...
    def reachable(self) -> bool: ...
