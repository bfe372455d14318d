"""A web process over the session's Redis, and the clients that send to it: each test runs with both of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parley_client import AsyncClient, AsyncNotices, Client, Notice
from simulation.until import until
from worker.store import Store

PROJECT = Path(__file__).parents[3]
TOKEN = "token-of-the-shop-0123456789"
SECRET = "whsec_" + "c2VjcmV0" * 6


class BlockingNotices:
    """``AsyncNotices`` as an iterator."""

    def __init__(self, runner: asyncio.Runner, notices: AsyncNotices) -> None:
        self._runner = runner
        self._notices = notices

    def __getattr__(self, name: str) -> Any:
        return getattr(self._notices, name)

    def __iter__(self) -> BlockingNotices:
        return self

    def __next__(self) -> Notice:
        async def following() -> Notice | None:
            async for notice in self._notices:
                return notice
            return None

        if (notice := self._runner.run(following())) is None:
            raise StopIteration
        return notice


class Blocking:
    """``AsyncClient`` with the methods of ``Client``, in a loop of its own."""

    def __init__(self, *words: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*words, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *words, **options: self._runner.run(method(*words, **options))

    def notices(self, **options: Any) -> BlockingNotices:
        return BlockingNotices(self._runner, self._client.notices(**options))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


@pytest.fixture(scope="session")
def _origin(redis_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = {
        "PARLEY_REDIS_URL": redis_server.url,
        "PARLEY_PERSONAS": "ava,bea",
        "PARLEY_JOIN__SETTLE_SECONDS": "0",
        "PARLEY_INGRESS__PORT": "0",
        "PARLEY_METRICS__PORT": "0",
        "PARLEY_INGRESS__SOURCES__SHOP__TOKEN": TOKEN,
        "PARLEY_INGRESS__SOURCES__SHOP__PER_SECOND": "100000",
        "PARLEY_INGRESS__SOURCES__SHOP__BURST": "100000",
        "PARLEY_INGRESS__SOURCES__CRM__SIGNING_SECRET": SECRET,
        "PARLEY_INGRESS__SOURCES__BANK__TOKEN": "token-of-the-bank-0123456789",
        "PARLEY_INGRESS__SOURCES__BANK__PERSONAS": "bea",
        "PARLEY_LIMITS__INBOX_EVENTS": "3000",
    }
    log = tmp_path_factory.mktemp("ingress") / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.web"], cwd=PROJECT, env={**os.environ, **given}, stderr=output
        )

    def port() -> str:
        assert process.poll() is None, log.read_text()
        return log.read_text().partition("ingress on 127.0.0.1 port ")[2].partition(",")[0]

    yield f"http://127.0.0.1:{until(port, 'the ingress listens')}"
    process.terminate()
    process.wait(60)


@pytest.fixture
def origin(_origin: str, store: Store) -> str:
    """The address of a real ingress over an emptied store."""
    return _origin


@pytest.fixture(params=[Client, Blocking], ids=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Make clients, with the token of a source unless other credentials are given."""
    made: list[Any] = []

    def make(address: str, **options: Any) -> Any:
        if "token" not in options and "signing_secret" not in options:
            options["token"] = TOKEN
        made.append(request.param(address, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def client(connect: Callable[..., Any], origin: str) -> Any:
    """A client of the real ingress."""
    return connect(origin)
