"""Reads what a channel says of itself and of the lead, from a channel context as it is stored: pure."""

from __future__ import annotations

import json
from typing import Any


def metadata_at(channel: str | None, path: str) -> Any:
    """The value at a dotted path below ``internal.channelMetadata`` of a channel context (JSON); None without one."""
    try:
        value = json.loads(channel or "{}")
        for key in ("metadata", "internal", "channelMetadata", *path.split(".")):
            value = value[key]
    except (KeyError, TypeError, ValueError, IndexError, RecursionError):
        return None
    return value


def channel_name(channel: str | None) -> str:
    """The name of the channel, such as ``whatsapp``; '' when the context has none that is text."""
    name = metadata_at(channel, "channelMetadata.channel")
    return name if isinstance(name, str) else ""
