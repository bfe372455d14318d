"""What the client sends, what it refuses, and that it keeps the key to itself."""

from __future__ import annotations

import copy
import gzip
import inspect
import pickle
import socket
import traceback
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import httpx
import pytest

import worker.clients.fluidtalk
from tests.socket_server import Server as SocketServer
from worker.clients.fluidtalk import (
    DEFAULT_BASE_URL,
    FluidTalk,
    FluidTalkError,
    InvalidCall,
    OutcomeUnknown,
    Unavailable,
)
from worker.clients.http.connections import Connections

KEY = "ft_sk_" + "0123456789"


def chain_text(error: BaseException) -> str:
    """Everything that a log would show of the error, causes and contexts included."""
    texts, link = ["".join(traceback.format_exception(error))], error
    while link is not None:
        texts += [str(link), repr(link), repr(link.args)]
        link = link.__cause__ or link.__context__
    return "\n".join(texts)


# The counter


def test_the_public_names_are_sorted_and_there() -> None:
    names = worker.clients.fluidtalk.__all__
    constants = [name for name in names if name.isupper()]
    assert names == sorted(constants) + sorted(set(names) - set(constants))
    assert all(hasattr(worker.clients.fluidtalk, name) for name in names)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("__init__", "api_key base_url own_username timeout"),
        ("inbound_chat", "target message own_username image_url image_path"),
        ("ai_opener", "target own_username image_url image_path"),
        ("event_trigger", "target event_type context own_username image_url image_path"),
        ("follow_up", "target own_username"),
        ("upload_image", "path data filename"),
    ],
)
def test_arguments_stand_in_the_documented_order(method: str, names: str) -> None:
    parameters = inspect.signature(getattr(FluidTalk, method)).parameters.values()
    positional = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    assert " ".join(positional) == f"self {names}"


# The address


def test_the_default_address_is_the_documented_one() -> None:
    assert FluidTalk(KEY).base_url == DEFAULT_BASE_URL == "https://api-talk.fluidvip.com"


@pytest.mark.parametrize(
    ("suffix", "path"),
    [("", "/api/v1/bot/chat"), ("///", "/api/v1/bot/chat"), ("/gate/way/", "/gate/way/api/v1/bot/chat")],
)
def test_a_path_prefix_is_kept_and_slashes_at_the_end_are_not(server: Any, suffix: str, path: str) -> None:
    with FluidTalk(KEY, base_url=server.url + suffix) as client:
        client.inbound_chat("@lead", "hi")
    assert server.requests[0].startswith(f"POST {path} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api-talk.example",
        "//127.0.0.1",
        "ftp://127.0.0.1",
        "http://",
        "http://:80",
        "http://127.0.0.1:port",
        "http://127.0.0.1?q=1",
        "http://127.0.0.1#part",
        "http://user:password@127.0.0.1",
        "http://[::1",
        "http://xn--\u0301",
        "http://127.0.0.1\n",
        "http://\ud83d",
    ],
)
def test_an_address_that_is_no_server_is_refused_when_it_is_called(address: str) -> None:
    client = FluidTalk(KEY, base_url=address)
    with pytest.raises(InvalidCall, match="base_url") as caught:
        client.inbound_chat("@lead", "hi")
    assert (caught.value.status, caught.value.acted) == (0, "no")
    assert "password" not in chain_text(caught.value) + repr(client)


# Headers


def test_the_key_and_no_other_credential_is_sent(server: Any, fluidtalk: FluidTalk) -> None:
    fluidtalk.follow_up("@lead")
    head = server.requests[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    headers = httpx.Headers([line.split(": ", 1) for line in head])
    assert headers["x-api-key"] == KEY
    assert sorted(headers) == [
        "accept-encoding",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-api-key",
    ]
    assert headers["accept-encoding"] == "identity"


# Times


@pytest.mark.parametrize("name", ["timeout", "connect_timeout", "total_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 10**400, 86_401, True, "60", (1, 2)])
def test_a_time_must_be_seconds_above_zero_and_within_a_day(name: str, value: Any) -> None:
    with pytest.raises(InvalidCall, match=name):
        FluidTalk(KEY, **{name: value})


def test_the_timeout_cannot_be_switched_off() -> None:
    with pytest.raises(InvalidCall, match="timeout is None"):
        FluidTalk(KEY, timeout=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        pytest.param({"timeout": 0.1}, "ReadTimeout", id="silence"),
        pytest.param({"timeout": 30, "total_timeout": 0.1}, "ReadTimeout", id="whole-call"),
    ],
)
def test_silence_ends_as_unknown(arguments: dict[str, float], limit: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = FluidTalk(KEY, base_url=f"http://127.0.0.1:{silent.getsockname()[1]}", **arguments)
        with client, pytest.raises(OutcomeUnknown, match=limit) as caught:
            client.inbound_chat("@lead", "hi")
    assert (caught.value.status, caught.value.acted) == (0, "unknown")


def test_the_total_time_leaves_room_for_connecting_and_reading() -> None:
    """The default must never cut a call that keeps to its two other limits short of an answer."""
    seen = []

    class Watching(Connections):
        def send(self, request: Any, timeouts: Any, max_response_bytes: int = 0) -> Any:
            seen.append(timeouts)
            return super().send(request, timeouts)

    client = FluidTalk(KEY, base_url="http://127.0.0.1:1", timeout=20, connect_timeout=3, connections=Watching())
    with pytest.raises(Unavailable):
        client.follow_up("@lead")
    assert [(times.connect, times.read, times.total) for times in seen] == [(3.0, 20.0, 33.0)]
    assert client.timeout == 20.0


# Shared connections


@pytest.fixture
def patient_server() -> Iterator[tuple[str, list[bytes]]]:
    """Its address, and what each connection said: ``begin`` and, when the client has closed it, ``end``."""
    log: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        log.append(b"begin")
        while server.read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        log.append(b"end")

    server = SocketServer(answer)
    yield server.url, log
    server.close()


def test_clients_of_several_personas_share_connections(patient_server: tuple[str, list[bytes]]) -> None:
    """One persona's client can go without taking the connection from the others."""
    (url, log), shared = patient_server, Connections()
    ava, bea = (FluidTalk(key, base_url=url, connections=shared) for key in ("ft_sk_ava", "ft_sk_bea"))
    with ava:
        ava.follow_up("@lead")
    bea.follow_up("@lead")
    assert log == [b"begin"]
    shared.close()


def test_a_client_closes_its_own_connections(
    patient_server: tuple[str, list[bytes]], eventually: Callable[..., Any]
) -> None:
    url, log = patient_server
    for _ in range(2):
        with FluidTalk(KEY, base_url=url, timeout=5) as client:
            client.follow_up("@lead")
    eventually(lambda: log.count(b"end") == 2, "the end of both connections")


# The key stays inside


def test_the_key_can_be_read_but_not_shown(server: Any) -> None:
    client = FluidTalk(KEY, server.url, "@our_account")
    assert client.api_key == KEY
    assert repr(client) == f"FluidTalk(base_url={server.url!r}, own_username='@our_account', timeout=60.0)"
    assert KEY not in str(client) + repr([client]) + f"{client}"
    with pytest.raises(TypeError):
        vars(client)


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_cannot_be_pickled_or_copied(duplicate: Callable[[FluidTalk], object]) -> None:
    with pytest.raises(TypeError, match="make a new one"):
        duplicate(FluidTalk(KEY))


# Images


def file_part(request: bytes) -> tuple[str, str, str, bytes]:
    """Field name, file name, content type and bytes of the file in a multipart request."""
    head, _, body = request.partition(b"\r\n\r\n")
    content_type = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-type:"))
    message = BytesParser(policy=HTTP).parsebytes(content_type + b"\r\n\r\n" + body)
    part = next(part for part in message.iter_parts() if part.get_filename())
    name = part.get_param("name", header="content-disposition")
    return str(name), str(part.get_filename()), part.get_content_type(), part.get_payload(decode=True)


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("A.JPEG", "image/jpeg"),
        ("a", "application/octet-stream"),
        (None, "image/jpeg"),
    ],
)
def test_the_part_says_what_the_file_name_suggests(
    server: Any, fluidtalk: FluidTalk, filename: str | None, content_type: str
) -> None:
    server.answers(200, {"url": "https://uploads.test/1"})
    fluidtalk.upload_image(data=b"\x89PNG", filename=filename)
    assert file_part(server.requests[0]) == ("file", filename or "image.jpg", content_type, b"\x89PNG")


@pytest.mark.parametrize("filename", ["evil.html", "blob", "scan.pdf", "a.jpg", None])
def test_the_bytes_decide_what_the_part_says(server: Any, fluidtalk: FluidTalk, filename: str | None) -> None:
    server.answers(200, {"url": "https://uploads.test/1"})
    fluidtalk.upload_image(data=b"RIFF\x10\x00\x00\x00WEBPVP8 ", filename=filename)
    assert file_part(server.requests[0])[1:3] == (filename or "image.jpg", "image/webp")


def test_a_name_alone_never_says_that_a_part_is_a_page(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, {"url": "https://uploads.test/1"})
    fluidtalk.upload_image(data=b"<html>", filename="evil.html")
    assert file_part(server.requests[0])[2] == "application/octet-stream"


def test_an_answer_that_was_packed_unasked_is_read(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, gzip.compress(b'{"reply": "hi"}'), Content_Encoding="gzip")
    assert fluidtalk.inbound_chat("@lead", "hi").reply == "hi"


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", "application/json"),
        ("utf-8", "text/plain; charset=ISO-8859-1"),
        ("utf-8-sig", "application/json; charset=utf-8"),
        ("utf-16", "application/json"),
        ("utf-16-le", "application/json; charset=utf-16le"),
        ("utf-32", "application/json"),
        ("latin-1", 'Application/JSON; Charset="ISO-8859-1"'),
        ("cp1252", "application/json;charset=windows-1252"),
    ],
)
def test_json_is_read_in_every_encoding_that_can_be_told(
    server: Any, fluidtalk: FluidTalk, encoding: str, content_type: str
) -> None:
    server.answers(200, '{"reply": "caf\u00e9"}'.encode(encoding), Content_Type=content_type)
    assert fluidtalk.inbound_chat("@lead", "hi").reply == "caf\u00e9"


def test_a_file_name_cannot_add_headers_to_its_part(server: Any, fluidtalk: FluidTalk) -> None:
    """Also one that looks like a data URL."""
    server.answers(200, {"url": "https://uploads.test/1"})
    fluidtalk.upload_image(data=b"x", filename="data:image/png\r\nX-Injected: yes,1")
    assert b"\r\nX-Injected" not in server.requests[0]
    assert b"%0D%0AX-Injected" in server.requests[0]


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"abc")])
def test_bytes_of_every_kind_can_be_uploaded(server: Any, fluidtalk: FluidTalk, data: Any) -> None:
    server.answers(200, {"url": "https://uploads.test/1"})
    assert fluidtalk.upload_image(data=data, filename="a.png").url == "https://uploads.test/1"
    assert file_part(server.requests[0])[3] == b"abc"


def test_an_image_may_be_named_by_a_path_object(server: Any, fluidtalk: FluidTalk, tmp_path: Path) -> None:
    (tmp_path / "profile.png").write_bytes(b"png")
    fluidtalk.ai_opener("@lead", image_path=tmp_path / "profile.png")
    assert file_part(server.requests[0]) == ("file", "profile.png", "image/png", b"png")


# Refused before anything is sent

WRONG_CALLS: dict[str, Callable[[FluidTalk], object]] = {
    "number as target": lambda client: client.inbound_chat(12345, "hi"),  # type: ignore[arg-type]
    "bytes as message": lambda client: client.inbound_chat("@lead", b"hi"),  # type: ignore[arg-type]
    "list as message": lambda client: client.inbound_chat("@lead", ["a", "b"]),  # type: ignore[arg-type]
    "number as account": lambda client: client.follow_up("@lead", 7),  # type: ignore[arg-type]
    "number as image": lambda client: client.ai_opener("@lead", image_url=1),  # type: ignore[arg-type]
    "number as path": lambda client: client.ai_opener("@lead", image_path=1),  # type: ignore[arg-type]
    "zero byte in path": lambda client: client.ai_opener("@lead", image_path="a\0b"),
    "directory as path": lambda client: client.ai_opener("@lead", image_path="."),
    "list as context": lambda client: client.event_trigger("@lead", "e", [("a", 1)]),  # type: ignore[arg-type]
    "text as context": lambda client: client.event_trigger("@lead", "e", "a"),  # type: ignore[arg-type]
    "text as data": lambda client: client.upload_image(data="abc"),  # type: ignore[arg-type]
    "number as filename": lambda client: client.upload_image(data=b"abc", filename=1),  # type: ignore[arg-type]
    "nothing to upload": lambda client: client.upload_image(),
    "only a filename": lambda client: client.upload_image(filename="a.png"),
    "blank path": lambda client: client.upload_image(path=""),
}


@pytest.mark.parametrize("call", WRONG_CALLS.values(), ids=WRONG_CALLS.keys())
def test_a_wrong_call_is_refused_and_not_sent(
    server: Any, fluidtalk: FluidTalk, call: Callable[[FluidTalk], object]
) -> None:
    with pytest.raises(InvalidCall) as caught:
        call(fluidtalk)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, FluidTalkError)
    assert (caught.value.status, caught.value.acted, caught.value.retry_after) == (0, "no", None)
    assert server.requests == []


@pytest.mark.parametrize("key", [None, 7, b"ft_sk_1"])
def test_a_key_that_is_no_string_is_refused(key: Any) -> None:
    with pytest.raises(InvalidCall, match="api_key"):
        FluidTalk(key)


def test_a_base_url_that_is_no_string_is_refused() -> None:
    with pytest.raises(InvalidCall, match="base_url"):
        FluidTalk(KEY, base_url=None)  # type: ignore[arg-type]
