"""While the store is away, senders are told at once instead of waiting in line for the same time-outs."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from redis.exceptions import ConnectionError as Unreachable

from config.settings import load
from tests.worker.web.raw_http import CHAT, TOKEN
from worker.store import Store
from worker.web.ingress import Ingress

PAYLOAD = {"session_id": "s", "user_input": "hi", "metadata": {}}


class Guard:
    """Stands in for the look at the store: away at first. ``tries``: how often it was asked."""

    def __init__(self) -> None:
        self.tries = 0
        self.away = True

    def ensure(self) -> None:
        self.tries += 1
        if self.away:
            raise Unreachable("SECRET")


@pytest.fixture
def served(redis_server, store, monkeypatch):
    made = load(
        env_file=None,
        role="producer",
        redis_url=redis_server.url,
        personas={"ava": {}},
        ingress={"sources": {"shop": {"token": TOKEN}}},
    )
    own = Store(made, connections=5)
    guard = Guard()
    monkeypatch.setattr(own, "layout", guard)
    yield Ingress(made, own).application(), guard
    own.close()


def test_one_try_answers_for_all_who_wait_and_the_next_moment_another_one_is_made(served, eventually, caplog):
    application, guard = served

    async def post(path, value):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post(path, json=value, headers=headers)).status_code

    async def storm():
        paths = [("/v1/captivate/ava", PAYLOAD), ("/v1/events", CHAT)]
        return await asyncio.gather(*(post(*paths[number % 2]) for number in range(200)))

    assert set(asyncio.run(storm())) == {503}
    # At most one for each thread that had begun when the first one failed.
    assert guard.tries <= 45
    assert caplog.text.count("ingress: store") == 1
    assert "SECRET" not in caplog.text
    guard.away = False
    assert eventually(lambda: asyncio.run(post("/v1/events", CHAT)) == 202, "the store is tried again")
    assert "ingress: store answers again" in caplog.text
