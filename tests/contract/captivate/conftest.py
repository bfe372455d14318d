"""The request of the seed document, the published client as the oracle, and a recorder to send to."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http_server import Handler, serving
from worker.clients.captivate.client import shared_client


class Recorder:
    """Where sends arrive: origin and the requests so far, each as (path, headers, body)."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.requests: list[tuple[str, dict[str, str], bytes]] = []


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A server on loopback that takes every send with 200 ``{"ok": true}``."""

    class Recording(Handler):
        def respond(self) -> None:
            if self.command != "POST":
                self.answer(501)
                return
            found.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, self.body()))
            self.answer(200, b'{"ok": true}')

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)  # the published client reads them
    with serving(Recording) as origin:
        found = Recorder(origin)
        yield found
        shared_client("dev", origin).close()


@pytest.fixture
def request_payload() -> dict[str, Any]:
    """The JSON payload of the seed document, word by word."""
    payload: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "request.json").read_text())
    return payload


@pytest.fixture(scope="session")
def official() -> Any:
    """The module of the published client. Its package hides it behind the class of the same name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its models use the old way of configuration
        return importlib.import_module("captivate_ai_api.Captivate")
