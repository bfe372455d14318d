"""What a receiver answers decides what becomes of a notice."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from tests.http_server import Handler, serving
from worker.adapters.notice_calls import Called, NoticeCalls


def receiver(status, body=b"", headers=None, seen=None):
    class Receiver(Handler):
        def respond(self):
            if seen is not None:
                seen.append((self.path, dict(self.headers), self.body()))
            else:
                self.body()
            self.answer(status, body, headers)

    return serving(Receiver)


def calls(url, **options):
    return NoticeCalls(url, **{"timeout_seconds": 5.0, "allow_private_addresses": True, **options})


def called(url, **options):
    made = calls(url, **options)
    try:
        return made.post(b"{}", {"webhook-id": "1"})
    finally:
        made.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_received(status):
    with receiver(status, headers={"Content-Length": "0"}) as url:
        assert called(url) == Called("sent", f"status={status}", status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 425, 451, 499])
def test_other_4xx_refuse_it_for_good(status):
    with receiver(status) as url:
        assert called(url) == Called("dropped", f"status={status}", status)


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 407, 408, 429, 500, 501, 502, 503, 504, 599])
def test_the_rest_is_sent_again(status):
    with receiver(status) as url:
        assert called(url) == Called("failed", f"status={status}", status)


@pytest.mark.parametrize(("status", "seconds"), [(429, 17), (503, 17), (500, None), (408, None)])
def test_retry_after_counts_where_it_says_when(status, seconds):
    with receiver(status, headers={"Retry-After": "17"}) as url:
        assert called(url).retry_after == seconds


def test_a_redirect_is_not_followed():
    seen = []
    with receiver(200, seen=seen) as elsewhere, receiver(307, headers={"Location": elsewhere}) as url:
        assert called(url).ending == "failed"
    assert seen == []


def test_body_headers_and_the_whole_address_arrive():
    seen = []
    with receiver(204, seen=seen) as url:
        called(url + "/notices?key=1")
    ((path, headers, body),) = seen
    assert (path, body, headers["webhook-id"], headers["User-Agent"]) == ("/notices?key=1", b"{}", "1", "parley-worker")


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert called(f"http://127.0.0.1:{port}") == Called("failed", "not_reached")


@contextmanager
def answering(pieces, pause=0.0):
    """A server that says these bytes to the first who calls, whatever was asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                for piece in pieces:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return
                    time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def test_garbage_is_no_answer():
    with answering([b"SMTP 220 hello\r\n\r\n"]) as url:
        assert called(url) == Called("failed", "no_answer")


def test_a_receiver_that_hangs_is_left_in_time():
    endless = itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"x"))
    with answering(endless, pause=0.2) as url:
        assert called(url, timeout_seconds=0.5) == Called("failed", "no_answer")


def test_an_answer_without_end_counts_by_its_status():
    with receiver(200, b"x" * 200_000) as url:
        assert called(url) == Called("sent", "status=200", 200)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3", "[::1]", "169.254.169.254", "0x7f.1"])
def test_private_addresses_are_not_called_unless_allowed(host):
    with receiver(200) as url:
        port = url.rpartition(":")[2]
        assert called(f"http://{host}:{port}", allow_private_addresses=False).said in (
            "address_not_allowed",
            "not_reached",
        )


def test_the_metadata_of_a_cloud_is_never_called():
    assert called("http://169.254.169.254/latest") == Called("failed", "address_not_allowed")


@pytest.mark.parametrize("url", ["ftp://host/", "http://", "http://user:pass@host/", "http://a..b/", "words only"])
def test_what_is_no_address_is_refused_at_once_without_quoting_it(url):
    with pytest.raises(ValueError, match="is no address that can be called") as refused:
        NoticeCalls(url, timeout_seconds=1)
    assert url not in str(refused.value)
