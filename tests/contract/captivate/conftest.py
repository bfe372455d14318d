"""The request of the seed document, the published client as the oracle, and a recorder to send to."""

from __future__ import annotations

import importlib
import json
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from worker.clients.captivate.client import shared_client


class Recorder:
    """Where sends arrive: origin and the requests so far, each as (path, headers, body)."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.requests: list[tuple[str, dict[str, str], bytes]] = []


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A server on loopback that takes every send with 200 ``{"ok": true}``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("Content-Length", "12")
            self.end_headers()
            self.wfile.write(b'{"ok": true}')

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)  # the published client reads them
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        found = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield found
        shared_client("dev", found.origin).close()
        server.shutdown()
        thread.join()


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
