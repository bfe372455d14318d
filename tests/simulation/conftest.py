"""Clients of the doubles, and the bytes of calls to them."""

from __future__ import annotations

import importlib
import json
import socket
import warnings
from collections.abc import Callable
from types import ModuleType
from urllib.parse import urlencode, urlsplit

import pytest
from fluidtalk import FluidTalk

from simulation.upstreams.control import SimulatedUpstreams

KEYS = {"ava": "ft_sk_ava", "bea": "ft_sk_bea"}


@pytest.fixture
def ava(upstreams: SimulatedUpstreams) -> FluidTalk:
    """The published FluidTalk client, talking to the double as the persona ava."""
    return FluidTalk(KEYS["ava"], base_url=upstreams.fluidtalk_url, timeout=10)


@pytest.fixture
def bea(upstreams: SimulatedUpstreams) -> FluidTalk:
    """The same as another persona."""
    return FluidTalk(KEYS["bea"], base_url=upstreams.fluidtalk_url, timeout=10)


@pytest.fixture(scope="session")
def published_captivate() -> ModuleType:
    """The published Captivate package. Its way to configure its models is deprecated, which is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("captivate_ai_api")


@pytest.fixture
def captivate_body() -> dict[str, object]:
    """A complete body of Captivate's send API (protocols.md 2.4)."""
    channel = {
        "user": {"firstName": "Lance", "lastName": None, "email": None},
        "channelMetadata": {"channel": "custom-channel"},
        "custom": {"mode": "non-dbfred"},
        "private": {},
        "conversationCreatedAt": None,
        "conversationUpdatedAt": None,
    }
    return {
        "response": [{"type": "text", "text": "hello"}],
        "session_id": "session-1",
        "metadata": {"internal": {"channelMetadata": channel}},
        "outgoing_action": [{"id": "navigate", "payload": {"to": "x"}, "data": {"to": "x"}}],
        "hasLivechat": False,
    }


@pytest.fixture
def exchange_bytes() -> Callable[[str, bytes], bytes]:
    """Send bytes to a server and return all it sends until it closes the connection or is silent for 5 s."""

    def exchange(url: str, request: bytes) -> bytes:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
            connection.sendall(request)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)

    return exchange


@pytest.fixture
def chat_request() -> Callable[[str, str], bytes]:
    """The bytes of one chat call of ava."""

    def build(target: str, message: str) -> bytes:
        body = urlencode({"target": target, "message": message}).encode()
        head = (
            "POST /api/v1/bot/chat HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ft_sk_ava\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    return build


@pytest.fixture
def send_request() -> Callable[[object], bytes]:
    """The bytes of one send to Captivate."""

    def build(content: object) -> bytes:
        body = json.dumps(content).encode()
        head = (
            "POST /api/channel/v2/sendMessage HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    return build
