"""A forward proxy on loopback: CONNECT for https, whole URLs for http, a login if it is told one."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from contextlib import suppress
from urllib.parse import urlsplit

from tests.socket_server import Server


class ForwardProxy(Server):
    """``asked``: the first line of each request that it was asked to pass on. ``names``: where it finds hosts."""

    def __init__(self, login: str = "", names: dict[str, str] | None = None) -> None:
        self.asked: list[str] = []
        self._login = f"Basic {b64encode(login.encode()).decode()}" if login else ""
        self._names = names or {}
        self._passing: list[socket.socket] = []
        super().__init__(self._serve)

    def close(self) -> None:
        # A server that keeps its connection is read for as long.
        for server in self._passing:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
        super().close()

    def _serve(self, client: socket.socket) -> None:
        while head := _head(client):
            lines = head.decode("latin-1").split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:] if line)
            self.asked.append(lines[0])
            if self._login and fields.get("Proxy-Authorization") != self._login:
                client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
                continue
            method, target, _ = lines[0].split(" ")
            if method == "CONNECT":
                self._tunnel(client, target)
                return
            self._pass_on(client, method, target, fields)

    def _tunnel(self, client: socket.socket, target: str) -> None:
        host, _, port = target.rpartition(":")
        try:
            server = socket.create_connection((self._names.get(host, host), int(port)), 5)
        except OSError:
            client.sendall(b"HTTP/1.1 502 Nobody there: SECRET\r\nContent-Length: 0\r\n\r\n")
            return
        with server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pour, args=(server, client), daemon=True)
            back.start()
            _pour(client, server)
            back.join(5)

    def _pass_on(self, client: socket.socket, method: str, target: str, fields: dict[str, str]) -> None:
        url = urlsplit(target)
        body = b""
        while len(body) < int(fields.get("Content-Length", "0")):
            body += client.recv(65536)
        own = {name: value for name, value in fields.items() if not name.startswith("Proxy-")} | {"Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        host = url.hostname or ""
        with socket.create_connection((self._names.get(host, host), url.port or 80), 5) as server:
            self._passing.append(server)
            server.sendall(f"{method} {url.path or '/'} HTTP/1.1\r\n{head}\r\n".encode() + body)
            _pour(server, client)
            client.shutdown(socket.SHUT_RDWR)


def _head(client: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = client.recv(1)
        if not piece:
            return b""
        data += piece
    return data


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
