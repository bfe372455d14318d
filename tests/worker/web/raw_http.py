"""HTTP by hand, over sockets: what a sender who means harm, or a simple one, sends."""

from __future__ import annotations

import json
import socket
import time

TOKEN = "token-of-the-shop-0123456789"
CHAT = {
    "kind": "inbound_chat",
    "persona": "ava",
    "target": "@john",
    "message": "hi",
    "channel": {"session_id": "s", "metadata": {}},
}
BODY = json.dumps(CHAT).encode()
HEAD = (
    "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    f"Authorization: Bearer {TOKEN}\r\n"
).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
# With the headers of a signature that is none.
SIGNED = (
    b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"webhook-id: a\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,AAAA\r\n"
)
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def drip(connection: socket.socket, byte: bytes) -> bytes:
    """Send one byte again and again, until the other side closes."""
    until = time.monotonic() + 15
    try:
        while time.monotonic() < until:
            connection.sendall(byte)
            time.sleep(0.05)
    except OSError:
        return b""
    raise AssertionError("the connection is still open")


def flood(connection: socket.socket, piece: bytes, most_bytes: int) -> int:
    """Send a piece again and again, until the other side closes. Returns the number of bytes.

    Raises ``TimeoutError`` when it takes nothing more and does not close.
    """
    sent = 0
    try:
        while sent < most_bytes:
            connection.sendall(piece)
            sent += len(piece)
    except TimeoutError:
        raise
    except OSError:
        return sent
    raise AssertionError(f"{sent} bytes were taken")
