"""A console over the session's Redis, in this process, and browsers that log in to it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from config import operators
from config.operators import Operator, Role
from config.settings import Settings
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store
from worker.web.console.application import Console

PASSWORD = "four calm words here"
ORIGIN = "http://testserver"


class Browser:
    """A browser at ``address``: it keeps cookies, and says which site a form is of."""

    def __init__(self, app: Starlette, address: str) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(address, 50_000)), base_url=ORIGIN, headers={"Origin": ORIGIN}
        )

    @property
    def cookies(self) -> httpx.Cookies:
        """Its cookies."""
        return self._client.cookies

    @property
    def headers(self) -> httpx.Headers:
        """What it sends with each request."""
        return self._client.headers

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; a redirect is not followed."""
        return asyncio.run(self._client.request(method, path, **more))

    def get(self, path: str) -> httpx.Response:
        """Look at a page."""
        return self.request("GET", path)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """Send a form."""
        return self.request("POST", path, **more)


@dataclass
class Desk:
    """The console, who may log in, and the store behind it."""

    console: Console
    store: Store
    file: Path
    hashed: str

    def stranger(self, address: str = "192.0.2.1") -> Browser:
        """A browser in which nobody has logged in."""
        return Browser(self.console.application(), address)

    def log_in(self, client: Browser, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        """Send the login form."""
        return client.post("/login", data={"name": name, "password": password, **fields})

    def browser(self, name: str) -> Browser:
        """A browser in which this operator has logged in."""
        client = self.stranger()
        assert self.log_in(client, name).status_code == 303
        return client

    def put(self, *all_operators: tuple[str, tuple[Role, ...]]) -> None:
        """These are the operators now."""
        operators.write(self.file, {name: Operator(name, roles, self.hashed) for name, roles in all_operators})

    def place(self, browser: Browser, target: str) -> str:
        """The address of a conversation, found as an operator finds it."""
        found = browser.post("/conversations", data={"token": self.token(browser), "text": target})
        page = browser.get(found.headers["location"]).text
        return re.findall(r'href="(/c/[^"]+)"', page)[0]

    def token(self, browser: Browser) -> str:
        """The token of its session."""
        return token_in(browser.get("/").text)

    def post(self, browser: Browser, path: str, **fields: str) -> httpx.Response:
        """Send a form of a page, with the token of the session."""
        return browser.post(path, data={"token": self.token(browser), **fields})

    def form(self, browser: Browser, page: str) -> dict[str, str]:
        """The hidden fields of the last form of a page."""
        form = browser.get(page).text.rpartition("<form")[2]
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))

    def send(self, browser: Browser, page: str, **fields: str) -> httpx.Response:
        """Look at the page before an act, and send its form."""
        return browser.post(page, data={**self.form(browser, page), **fields})

    @staticmethod
    def told(browser: Browser, answer: httpx.Response) -> str:
        """What the page after an act says was done; once only."""
        assert answer.status_code == 303, answer.text
        found = re.findall(r'<p class="told"[^>]*>([^<]*)', browser.get(answer.headers["location"]).text)
        assert "told" not in browser.get(answer.headers["location"]).text.partition("<main")[2].partition("<h1")[0]
        return str(found[0])


def token_in(page: str) -> str:
    """The token in the forms of a page."""
    return re.findall(r'name="token" value="([^"]+)"', page)[0]


@pytest.fixture(scope="session")
def _hashed() -> str:
    # A hash that takes little time: there are many logins.
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@pytest.fixture
def make_desk(
    make_store: Callable[..., Store], make_settings: Callable[..., Settings], tmp_path: Path, _hashed: str
) -> Callable[..., Desk]:
    """Consoles with three operators: kim may all, vera looks, otto acts."""

    def make(**overrides: Any) -> Desk:
        file = tmp_path / "operators"
        settings = {"operators_file": file, "transcript": {"days": 7}, **overrides}
        everyone: dict[str, tuple[Role, ...]] = {
            "kim": ("viewer", "operator", "reader"),
            "vera": ("viewer",),
            "otto": ("operator",),
        }
        operators.write(file, {name: Operator(name, roles, _hashed) for name, roles in everyone.items()})
        store = make_store(**settings)
        return Desk(Console(make_settings(**settings), store), store, file, _hashed)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """The usual console."""
    return make_desk()


@pytest.fixture
def write(desk: Desk, make_settings: Callable[..., Settings], channel: dict[str, Any]) -> Callable[..., None]:
    """A lead writes."""
    producer = Producer(make_settings(), store=desk.store)

    def send(target: str, message: str = "Hi", persona: str = "ava") -> None:
        event = {"persona": persona, "target": target, "message": message, "channel": channel}
        producer.enqueue(InboundChat.model_validate(event))

    return send
