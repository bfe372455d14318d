"""``python -m simulation.chaos.notice_receiver PORT LOG``: a receiver of notices that may be killed at any moment.

It verifies signatures by itself (Standard Webhooks 1.0.0), and writes each call down before it answers. It refuses some
notices for good, each time that they come, and fails now and then.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import sys
import time
import zlib
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATH = "/notices"
SECRET = "whsec_" + base64.b64encode(b"of the receiver of a chaos run").decode()

# The receiver refuses one notice in this number, and fails one call in this number.
_REFUSED, _FAILING = 100, 100
_TOLERANCE_SECONDS = 300
_TAKEN, _GONE, _FAILED, _UNAUTHORIZED = 204, 410, 503, 401


def is_signed(headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a call was signed with ``SECRET``, not long ago. ``now``: seconds since 1970."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > _TOLERANCE_SECONDS:
        return False
    signed = b".".join((headers.get("webhook-id", "").encode(), stamp.encode(), body))
    right = hmac.digest(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(right).decode()}" in headers.get("webhook-signature", "").split()


def is_refused(notice_id: str) -> bool:
    """Whether the receiver never takes this notice."""
    return zlib.crc32(notice_id.encode()) % _REFUSED == 0


class _Receiver(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, log: Path) -> None:
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.dice = random.Random()
        super().__init__(("127.0.0.1", port), _Call)

    def handle_error(self, *_: object) -> None:
        """A sender that is killed in a call is a part of the run."""


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event: dict[str, Any] = json.loads(body)
        signed = is_signed(dict(self.headers), body, time.time()) and event["id"] == self.headers["webhook-id"]
        status = self._status(event["id"]) if signed else _UNAUTHORIZED
        line = {"id": event["id"], "status": status, "forged": not signed, "data": event["data"]}
        # At once, so that no kill leaves a part of it.
        os.write(self.server.log, json.dumps(line).encode() + b"\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _status(self, notice_id: str) -> int:
        if is_refused(notice_id):
            return _GONE
        return _FAILED if self.server.dice.random() < 1 / _FAILING else _TAKEN

    def log_message(self, *_: object) -> None:
        """Its log is the other one."""


def main(port: int, log: Path) -> None:
    """Receive until a signal. Raises ``OSError`` when the port is taken."""
    with _Receiver(port, log) as receiver:
        receiver.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
