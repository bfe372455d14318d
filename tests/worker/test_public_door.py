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


@pytest.mark.parametrize(
    "code",
    [
        "from worker import InboundChat, Producer",
        "from worker import Captivate, from_captivate",
        "from config.settings import load; from worker import Producer; Producer(load(role='producer')).close()",
    ],
)
def test_a_producer_loads_no_http_client(code):
    unwanted = ("httpx", "httpcore", "httptools", "rich", "worker.clients.http", "worker.clients.fluidtalk")
    loaded = f"import sys; {code}; print([name for name in {unwanted} if name in sys.modules])"
    environment = {"PARLEY_REDIS_URL": "redis://127.0.0.1:1/0", "PARLEY_PERSONAS": "ava"}
    command = [sys.executable, "-c", loaded]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"


def test_to_import_the_producer_loads_nothing_but_its_events():
    """What it needs beyond them, the settings and the store, comes with the first producer that is made."""
    heavy = ("redis", "config.settings", "worker.store", "worker.clients.captivate")
    found = f"[name for name in {heavy} if name in sys.modules]"
    loaded = f"import sys; from worker import InboundChat, Producer; print({found})"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"
