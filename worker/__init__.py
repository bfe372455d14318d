"""Parley: a queue-driven conversation worker. This is its public door: what a program outside imports.

    from worker import InboundChat, Producer

Names are loaded when they are first used, so that a producer loads the store and nothing of the clients. Everything
that is not listed here may move; the errors and values of the two clients are in ``worker.clients.fluidtalk`` and
``worker.clients.captivate``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.adapters.captivate_requests import from_captivate
    from worker.clients.captivate import Captivate, CaptivateClient, CaptivateError
    from worker.clients.fluidtalk import Characters, FluidTalk, FluidTalkError
    from worker.domain.events import (
        AiOpener,
        Attachment,
        ChannelContext,
        Event,
        EventTrigger,
        FollowUp,
        InboundChat,
        MoneyEvent,
    )
    from worker.domain.refusals import InboxFull, InvalidEvent, MissingChannel, Refused, TooLarge, UnknownPersona
    from worker.pipeline.producer import Producer, Receipt
    from worker.store import StoreError

__version__ = "0.1.0"

__all__ = [
    "AiOpener",
    "Attachment",
    "Captivate",
    "CaptivateClient",
    "CaptivateError",
    "ChannelContext",
    "Characters",
    "Event",
    "EventTrigger",
    "FluidTalk",
    "FluidTalkError",
    "FollowUp",
    "InboundChat",
    "InboxFull",
    "InvalidEvent",
    "MissingChannel",
    "MoneyEvent",
    "Producer",
    "Receipt",
    "Refused",
    "StoreError",
    "TooLarge",
    "UnknownPersona",
    "__version__",
    "from_captivate",
]

_ROOMS = {
    "worker.adapters.captivate_requests": ("from_captivate",),
    "worker.clients.captivate": ("Captivate", "CaptivateClient", "CaptivateError"),
    "worker.clients.fluidtalk": ("Characters", "FluidTalk", "FluidTalkError"),
    "worker.domain.events": (
        "AiOpener",
        "Attachment",
        "ChannelContext",
        "Event",
        "EventTrigger",
        "FollowUp",
        "InboundChat",
        "MoneyEvent",
    ),
    "worker.domain.refusals": ("InboxFull", "InvalidEvent", "MissingChannel", "Refused", "TooLarge", "UnknownPersona"),
    "worker.pipeline.producer": ("Producer", "Receipt"),
    "worker.store": ("StoreError",),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
