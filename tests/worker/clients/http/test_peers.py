"""What other clients read of an answer is read here; what two of them could read differently is no answer.

``http.client`` reads each answer too. Where the two differ, the table says why. Whatever is unusual closes its
connection: what follows on it may be meant for somebody else.
"""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from typing import Literal

import pytest

from tests.socket_server import Server
from tests.worker.clients.http.servers import ServerFactory, post
from worker.clients.http.connections import Answer, Connections, Timeouts, Unanswered

BODY = b'{"a":1}'
SOON = Timeouts(connect=5, read=5, total=10)


def counted(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", end: bytes = b"\r\n") -> bytes:
    return end.join((status, *lines, b"Content-Length: 7", b"", BODY))


def chunked(chunks: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *(lines or (b"Transfer-Encoding: chunked",)), b"", chunks))


def with_lines(*lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", BODY))


CHUNKS = b"7\r\n" + BODY + b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """``ours``: what becomes of it. ``kept``: whether the connection may be used again. ``theirs``: whether
    ``http.client`` reads the same body."""

    wire: bytes
    ours: Literal["read", "refused"] = "read"
    kept: bool = False
    theirs: bool = True


CASES = {
    # usual
    "counted": Case(counted(), kept=True),
    "chunks": Case(chunked(CHUNKS), kept=True),
    "an extension of a chunk": Case(chunked(CHUNKS.replace(b"7", b'7;a="b"', 1)), kept=True),
    "trailers": Case(chunked(CHUNKS[:-2] + b"A: b\r\n\r\n"), kept=True),
    "zeros before a size": Case(chunked(b"00" + CHUNKS), kept=True),
    "no reason": Case(counted(status=b"HTTP/1.1 200"), kept=True),
    "an empty reason": Case(counted(status=b"HTTP/1.1 200 "), kept=True),
    "a foreign reason": Case(counted(status=b"HTTP/1.1 200 \xc3\xa9"), kept=True),
    "a value that is not ASCII": Case(counted(b"X-A: caf\xe9"), kept=True),
    "a capital in a coding": Case(chunked(CHUNKS, b"TRANSFER-encoding: Chunked"), kept=True),
    "HTTP/1.0 that is kept": Case(counted(b"Connection: keep-alive", status=b"HTTP/1.0 200 OK"), kept=True),
    "a hint": Case(b"HTTP/1.1 100 Continue\r\n\r\n" + counted(), kept=True),
    "several hints": Case(
        b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: <a>\r\n\r\n" + counted(), kept=True, theirs=False
    ),
    "an offer of another protocol": Case(counted(b"Upgrade: h2,h2c", b"Connection: Upgrade, Keep-Alive"), kept=True),
    # usual, and the server closes
    "HTTP/1.0 without a length": Case(b"HTTP/1.0 200 OK\r\n\r\n" + BODY),
    "no length": Case(with_lines()),
    "an announced end": Case(counted(b"Connection: close")),
    # unusual and clear
    "a blank behind a size": Case(chunked(CHUNKS.replace(b"\r\n", b" \r\n", 1))),
    "a blank before a size": Case(chunked(b" " + CHUNKS)),
    "a tab before an extension": Case(chunked(CHUNKS.replace(b"7", b"7\t;a", 1))),
    "line feeds alone": Case(counted(b"A: b", end=b"\n")),
    "line feeds alone between chunks": Case(chunked(CHUNKS.replace(b"\r", b"")), theirs=False),
    "a folded line": Case(counted(b"A: b\r\n  c")),
    "a length said twice": Case(counted(b"Content-Length: 7")),
    "a list of equal lengths": Case(with_lines(b"Content-Length: 7, 7")),
    "a list of lengths with an empty place": Case(with_lines(b"Content-Length: 7,"), theirs=True),
    "an empty coding beside a length": Case(counted(b"Transfer-Encoding:")),
    "no coding by name": Case(counted(b"Transfer-Encoding: identity")),
    "a length that agrees with the chunks": Case(chunked(CHUNKS, b"Content-Length: 7", b"Transfer-Encoding: chunked")),
    "chunks said twice": Case(chunked(CHUNKS, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")),
    "chunks in HTTP/1.0": Case(chunked(CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "a blank before the colon": Case(counted(b"A : b")),
    "empty lines before the answer": Case(b"\r\n\r\n" + counted(), theirs=False),
    "two blanks in the status line": Case(counted(status=b"HTTP/1.1  200  OK")),
    "small letters in the status line": Case(counted(status=b"http/1.1 200 ok"), theirs=False),
    "a field without a colon": Case(counted(b"no field")),
    "more than announced": Case(counted() + b"HTTP/1.1 200 OK\r\n\r\n"),
    "a line end behind the body": Case(counted() + b"\r\n"),
    "a line end behind the chunks": Case(chunked(CHUNKS) + b"\r\n"),
    "a hint with a length": Case(b"HTTP/1.1 103 E\r\nContent-Length: 9\r\n\r\n" + counted(), theirs=False),
    # cut off
    "less than announced": Case(counted()[:-1], "refused", theirs=False),
    "no last chunk": Case(chunked(CHUNKS[:-5]), "refused", theirs=False),
    "no line end behind the last chunk": Case(chunked(CHUNKS[:-2]), "refused"),
    "no end of the head": Case(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "refused", theirs=False),
    # two readings
    "two lengths": Case(counted(b"Content-Length: 9"), "refused", theirs=False),
    "a length that the chunks do not come to": Case(
        chunked(CHUNKS, b"Content-Length: 3", b"Transfer-Encoding: chunked"), "refused"
    ),
    "a length with a sign": Case(with_lines(b"Content-Length: +7"), "refused"),
    "a blank before the colon of a length": Case(with_lines(b"Content-Length : 7"), "refused"),
    "a blank before the colon of a coding": Case(
        chunked(CHUNKS, b"Transfer-Encoding : chunked"), "refused", theirs=False
    ),
    "a carriage return in a value": Case(counted(b"A: b\rc"), "refused"),
    "a line feed within an extension": Case(chunked(CHUNKS.replace(b"7\r\n", b"7;a\n", 1)), "refused"),
    "a size in another form": Case(chunked(b"0x" + CHUNKS), "refused"),
    "a chunk longer than its size": Case(chunked(CHUNKS.replace(b"7", b"6", 1)), "refused", theirs=False),
    "a length beside an unknown coding": Case(counted(b"Transfer-Encoding: own"), "refused"),
}


def saying(wire: bytes):
    """Say it once, and end the answer by ending the connection; on one that is kept, wait for what comes."""

    def conversation(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(wire)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    return conversation


def ours(server: Server) -> Answer | None:
    connections = Connections()
    try:
        return connections.send(post(server.url), SOON)
    except Unanswered:
        return None
    finally:
        connections.close()


def theirs(server: Server) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("POST", "/", b"hello")
        return connection.getresponse().read()
    except http.client.HTTPException:
        return None
    finally:
        connection.close()


@pytest.mark.parametrize("name", CASES)
def test_what_is_clear_is_read_as_others_read_it(serve: ServerFactory, name: str) -> None:
    case = CASES[name]
    answer = ours(serve(saying(case.wire)))
    assert (answer and (answer.status, answer.body)) == ((200, BODY) if case.ours == "read" else None)
    assert (theirs(serve(saying(case.wire))) == BODY) == case.theirs


# Of an answer without a length the end of the connection is the end.
ENDLESS = {"HTTP/1.0 without a length", "no length"}


def keeping(wire: bytes):
    def conversation(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            connection.sendall(wire)

    return conversation


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.ours == "read" and name not in ENDLESS])
def test_only_a_connection_without_anything_unusual_is_used_again(serve: ServerFactory, name: str) -> None:
    server, connections = serve(keeping(CASES[name].wire)), Connections()
    for _ in range(2):
        assert connections.send(post(server.url), SOON).body == BODY
    connections.close()
    assert len(server.accepted) == (1 if CASES[name].kept else 2)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize(
    ("line", "accepted"),
    [(b"A: b", 1), (b"Content-Length: 0", 1), (b"Content-Length: 7", 2), (b"Transfer-Encoding: chunked", 2)],
)
def test_an_answer_without_a_body_that_announces_one_is_the_last_of_its_connection(
    serve: ServerFactory, status: int, line: bytes, accepted: int
) -> None:
    """Its server may send that body, and it would be read as the next answer."""
    server, connections = serve(keeping(b"HTTP/1.1 %d No\r\n%b\r\n\r\n" % (status, line))), Connections()
    for _ in range(2):
        answer = connections.send(post(server.url), SOON)
        assert (answer.status, answer.body) == (status, b"")
    connections.close()
    assert len(server.accepted) == accepted
