"""``worker`` is the public door: what it lists is there, and a producer that uses it loads no HTTP client."""

from __future__ import annotations

import subprocess
import sys

import pytest

import worker

MEMBERS = [
    "AiOpener",
    "Attachment",
    "Captivate",
    "CaptivateClient",
    "CaptivateError",
    "ChannelContext",
    "Event",
    "EventTrigger",
    "FluidTalk",
    "FluidTalkError",
    "FollowUp",
    "InboundChat",
    "InboxFull",
    "InvalidEvent",
    "MissingChannel",
    "Producer",
    "Receipt",
    "Refused",
    "StoreError",
    "TooLarge",
    "UnknownPersona",
    "__version__",
    "from_captivate",
]


def test_the_members_are_these_and_sorted():
    assert worker.__all__ == MEMBERS
    assert dir(worker) == MEMBERS


@pytest.mark.parametrize("name", MEMBERS)
def test_each_member_is_there(name):
    assert getattr(worker, name) is getattr(worker, name)


def test_another_name_is_missing_as_usual():
    with pytest.raises(AttributeError, match="'worker' has no attribute 'Parley'"):
        worker.Parley  # noqa: B018


def test_to_import_the_door_loads_nothing():
    found = "[name for name in sys.modules if name.startswith(('worker.', 'redis', 'pydantic'))]"
    loaded = f"import sys, worker; print({found})"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"


def test_a_producer_loads_no_http_client():
    unwanted = ("httpx", "httpcore", "httptools", "rich", "worker.clients.http", "worker.clients.fluidtalk")
    found = f"[name for name in {unwanted} if name in sys.modules]"
    loaded = f"import sys; from worker import InboundChat, Producer, from_captivate; print({found})"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"
