"""What a double sends back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. ``headers`` come on top of Content-Type and Content-Length."""

    status: int
    body: bytes = b""
    content_type: bytes = b"application/json"
    headers: Headers = ()


def json_answer(status: int, content: Any, headers: Headers = ()) -> Answer:
    """An answer with a JSON body in UTF-8."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Answer(status, body, headers=headers)


def detail(status: int, text: Any) -> Answer:
    """An error the way both services report it: ``{"detail": ...}`` (protocols.md 1.6)."""
    return json_answer(status, {"detail": text})
