"""A web process over the session's Redis, on a free port of loopback, and what sends to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulation.until import until
from worker.store import Store

PROJECT = Path(__file__).parents[3]
TOKEN = "token-of-the-shop-0123456789"
# Longer than the longest wait for notices, also on a busy machine.
_PATIENCE_SECONDS = 120
SECRET = "whsec_" + "c2VjcmV0" * 6


@dataclass
class Web:
    """A running web process."""

    process: subprocess.Popen[bytes]
    origin: str
    log: Path

    def post(self, path: str, body: object, *, token: str | None = TOKEN, **headers: str | bytes) -> httpx.Response:
        """Post JSON, or bytes as they are; ``a_b`` becomes the header ``a-b``."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        encoded = [
            (name.encode(), value.encode() if isinstance(value, str) else value) for name, value in given.items()
        ]
        return httpx.post(self.origin + path, content=content, headers=encoded, timeout=_PATIENCE_SECONDS)

    def get(self, path: str, *, token: str | None = TOKEN) -> httpx.Response:
        """Get a resource."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(self.origin + path, headers=headers, timeout=_PATIENCE_SECONDS)


def start(folder: Path, redis_url: str, **variables: str) -> Web:
    """Start one; ready when it listens."""
    given = {
        "PARLEY_REDIS_URL": redis_url,
        "PARLEY_PERSONAS": "ava,bea",
        "PARLEY_JOIN__SETTLE_SECONDS": "0",
        "PARLEY_INGRESS__PORT": "0",
        "PARLEY_METRICS__PORT": "0",
        "PARLEY_INGRESS__SOURCES__SHOP__TOKEN": TOKEN,
        **variables,
    }
    log = folder / "web.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.web"], cwd=PROJECT, env={**os.environ, **given}, stderr=output
        )

    def port() -> str:
        assert process.poll() is None, log.read_text()
        return log.read_text().partition("ingress on 127.0.0.1 port ")[2].partition(",")[0]

    return Web(process, f"http://127.0.0.1:{until(port, 'the ingress listens', seconds=90)}", log)


@pytest.fixture(scope="session")
def start_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Web]]:
    """Start web processes, which end with the session."""
    started: list[Web] = []

    def begin(redis_url: str, **variables: str) -> Web:
        web = start(tmp_path_factory.mktemp("web"), redis_url, **variables)
        started.append(web)
        return web

    yield begin
    for web in started:
        web.process.terminate()
    for web in started:
        web.process.wait(60)


@pytest.fixture(scope="session")
def _web(start_web: Callable[..., Web], redis_server: Any) -> Web:
    return start_web(
        redis_server.url,
        PARLEY_INGRESS__SOURCES__CRM__SIGNING_SECRET=f"{SECRET} whsec_{'bmV3IG9u' * 6}",
        PARLEY_INGRESS__SOURCES__BANK__TOKEN="token-of-the-bank-0123456789",
        PARLEY_INGRESS__SOURCES__BANK__PERSONAS="bea",
        PARLEY_INGRESS__SOURCES__BANK__KINDS="ai_opener,inbound_chat",
        PARLEY_INGRESS__BODY_BYTES="200000",
    )


@pytest.fixture
def web(_web: Web, store: Store) -> Web:
    """The session's web process, over an emptied store."""
    return _web


@pytest.fixture(scope="session")
def strict(start_web: Callable[..., Web], redis_server: Any) -> Web:
    """A web process with little patience and few places."""
    return start_web(
        redis_server.url,
        PARLEY_INGRESS__REQUEST_SECONDS="1",
        PARLEY_INGRESS__IDLE_SECONDS="1",
        PARLEY_INGRESS__CONNECTIONS="20",
        PARLEY_INGRESS__BODY_BYTES="200000",
        PARLEY_INGRESS__BODY_BYTES_IN_ALL="200000",
        PARLEY_INGRESS__SOURCES__CRM__SIGNING_SECRET=SECRET,
    )


@pytest.fixture
def connect(strict: Web, store: Store) -> Iterator[Callable[[], socket.socket]]:
    """Open connections to it; they are closed with the test."""
    opened: list[socket.socket] = []

    def to_it() -> socket.socket:
        port = int(strict.origin.rpartition(":")[2])
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        return opened[-1]

    yield to_it
    for each in opened:
        each.close()
