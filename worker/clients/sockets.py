"""What connections to Redis and to HTTP servers have in common."""

from __future__ import annotations

import os
import socket
import ssl
import struct


def limit_waiting(wire: socket.socket, seconds: float) -> None:
    """Have each read and write end after ``seconds``: with ``BlockingIOError`` by the kernel, over TLS and under gevent
    or eventlet with ``TimeoutError``.

    A socket with a timeout of Python's asks the kernel twice for each read and write, and threads queue for the
    interpreter after each. TLS needs it nevertheless.
    """
    if isinstance(wire, ssl.SSLSocket):
        wire.settimeout(seconds)
        return
    wire.settimeout(None)
    if not os.get_blocking(wire.fileno()):
        # A cooperative socket: the kernel never waits for it, so a time of the kernel's would never end.
        wire.settimeout(seconds)
        return
    interval = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
