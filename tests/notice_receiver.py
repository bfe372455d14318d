"""A receiver of notices on loopback: it verifies them as a receiver has to, and answers what a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

from tests.http_server import Handler, serving

SECRET = "whsec_" + "c2VjcmV0" * 6


@dataclass
class Receiver:
    """``says``: the status for an event, or a pair with headers; it may also wait. ``got``: what it answered with 2xx,
    in order; ``asked``: all calls. Signatures that do not fit are ``forged``."""

    says: Callable[[dict[str, Any]], Any] = lambda event: 204
    url: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    forged: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Answer a call."""
        try:
            Webhook(SECRET).verify(body, headers)
        except Exception:
            self.forged += 1
        event = json.loads(body)
        with self.lock:
            self.asked.append(event)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        said = self.says(event)
        status, more = said if isinstance(said, tuple) else (said, {})
        with self.lock:
            self.at_once -= 1
            if 200 <= status < 300:
                self.got.append(event)
        return status, more

    def sequences(self, subject: str) -> list[int]:
        """Of one conversation, the first time that each came."""
        return list(dict.fromkeys(each["data"]["sequence"] for each in self.got if each["subject"] == subject))


@contextmanager
def receiving(says: Callable[[dict[str, Any]], Any] = lambda event: 204) -> Iterator[Receiver]:
    """A running receiver."""
    receiver = Receiver(says)

    class Answering(Handler):
        def respond(self) -> None:
            status, headers = receiver.take(self.body(), dict(self.headers))
            self.answer(status, b"", headers)

    with serving(Answering) as url:
        receiver.url = url + "/notices"
        yield receiver


def slowly(seconds: float) -> Callable[[dict[str, Any]], int]:
    """Takes everything after so long."""

    def say(_: dict[str, Any]) -> int:
        time.sleep(seconds)
        return 200

    return say
