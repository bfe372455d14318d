"""A recorder on loopback: keeps what each call put on the wire and answers as documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.http_server import Handler, serving

CHAT = {
    "reply": "Hey you! What are you up to?",
    "replies": ["Hey you!", "What are you up to?"],
    "should_send_photo": True,
    "photo_url": "https://photos.test/1.jpg",
    "session_id": "s-1",
    "ignored": False,
    "ignore_reason": None,
}
ACTION = {
    "session_id": "s-1",
    "message": "Saw you like hiking ⛰",
    "ignored": False,
    "ignore_reason": None,
    "continued": False,
    "continued_reason": None,
}
UPLOAD = {"url": "https://uploads.test/2.jpg"}
DOCUMENTED = {"/chat": CHAT, "/action": ACTION, "/upload": UPLOAD}


@dataclass
class Recorded:
    """One request as the server understood it. ``part_types`` are the content types of the file parts."""

    method: str
    path: str
    key: str | None
    encoding: str
    fields: list[tuple[str, Any]]
    files: list[tuple[str, str, bytes]]
    part_types: list[str | None] = field(compare=False)


@dataclass
class Recorder:
    """``requests`` in the order of arrival; ``answers`` are used up first, then come the documented ones."""

    url: str
    requests: list[Recorded] = field(default_factory=list)
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)

    def will_answer(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, content, headers))

    def answer_to(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        if self.answers:
            return self.answers.pop(0)
        body = next((body for end, body in DOCUMENTED.items() if path.endswith(end)), {"detail": "Not Found"})
        return 200 if body in DOCUMENTED.values() else 404, json.dumps(body).encode(), {}


def recorded(handler: Handler) -> Recorded:
    body = handler.body()
    content_type = handler.headers.get("Content-Type") or ""
    fields: list[tuple[str, Any]] = []
    files: list[tuple[str, str, bytes]] = []
    part_types: list[str | None] = []
    if content_type.startswith("multipart/form-data"):
        for head, content in parts(body, content_type.partition("boundary=")[2].encode()):
            name, filename, part_type = (text_of(pattern, head) for pattern in (_NAME, _FILENAME, _TYPE))
            assert name is not None
            if filename is None:
                fields.append((name, content.decode()))
            else:
                files.append((name, filename, content))
                part_types.append(part_type)
    else:
        fields = list(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body)))
    return Recorded(
        method=handler.command,
        path=handler.path,
        key=handler.headers.get("X-API-Key"),
        encoding=content_type.partition(";")[0],
        fields=[(name, json.loads(value) if name == "entry_context" else value) for name, value in fields],
        files=files,
        part_types=part_types,
    )


_NAME = re.compile(rb'; name="([^"]*)"')
_FILENAME = re.compile(rb'; filename="([^"]*)"')
_TYPE = re.compile(rb"\r\nContent-Type: ([^\r]*)")


def parts(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Head and content of each part, to the byte."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert pieces[0] == b""
    assert pieces[-1] in (b"--\r\n", b"--")
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        yield head, content


def text_of(pattern: re.Pattern[bytes], head: bytes) -> str | None:
    found = pattern.search(head)
    return found[1].decode() if found else None


@pytest.fixture(scope="session")
def _recording() -> Iterator[Recorder]:
    class Recording(Handler):
        timeout = 5

        def respond(self) -> None:
            recorder.requests.append(recorded(self))
            status, body, headers = recorder.answer_to(self.path)
            own = {name.replace("_", "-"): value for name, value in headers.items()}
            self.answer(status, body, {"Content-Type": "application/json", "Connection": "close", **own})

    with serving(Recording) as origin:
        recorder = Recorder(origin)
        yield recorder


@pytest.fixture
def recorder(_recording: Recorder, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    # The published client would use a proxy named in the environment.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _recording.requests.clear()
    _recording.answers.clear()
    return _recording
