"""Fetches the content behind a link from outside, from the public internet only.

The lead chooses the link in a message. It could point to what only this machine can reach: cloud metadata, the store, a
neighbour's admin page (protocols.md C39). So the name is looked up once, its address is checked, and the connection
goes to that address. Every redirect is checked in the same way.
"""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from worker.clients.address_ranges import is_machine_metadata, is_machine_metadata_host, is_public
from worker.clients.http.codings import not_undone, plain
from worker.clients.http.connections import Answer, AnswerTooLarge, Connections, NotSent, Timeouts, Unanswered
from worker.clients.http.streams import CheckAddress

MAX_REDIRECTS = 3
DOWNLOAD_TIMEOUTS = Timeouts(connect=5.0, read=10.0, total=30.0)

_HOST = re.compile(r"[0-9A-Za-z_.-]+|[0-9A-Fa-f:.]+")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class DownloadError(Exception):
    """Nothing was fetched. ``retryable``: whether trying again later can help. ``status``: the HTTP status, if any.

    The text names the host at most: the rest of a presigned link is a secret.
    """

    def __init__(self, message: str, *, retryable: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status


class ForbiddenAddress(DownloadError):
    """The link is no public http or https address."""


class TooLarge(DownloadError):
    """The content is larger than allowed."""


def public_addresses_of(host: str, port: int) -> list[str]:
    """The addresses to connect to for a host, for ``Connections(check_address=public_addresses_of)``.

    Raises ``ForbiddenAddress`` if any address of the host is not public, so that a mixed answer cannot slip through,
    and ``NotSent`` if the host has none.
    """
    addresses = any_addresses(host, port)
    if not all(is_public(address) for address in addresses):
        raise ForbiddenAddress(f"{host} is not on the public internet: private addresses are not fetched from")
    return addresses


def any_addresses(host: str, port: int) -> list[str]:
    """The same where private addresses are allowed. What hands out the keys of a machine is refused there, too."""
    refusal = f"{host} is where a cloud keeps the keys of its machines: that is never fetched from"
    if is_machine_metadata_host(host):
        raise ForbiddenAddress(refusal)
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent("the host name could not be resolved") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    if not addresses:
        raise NotSent("the host name has no address")
    if any(is_machine_metadata(address) for address in addresses):
        raise ForbiddenAddress(refusal)
    return addresses


def has_valid_host(url: httpx.URL) -> bool:
    """Whether host and port can be looked up at all: httpx lets through names and ports that break the resolver."""
    host = url.raw_host.decode("ascii")
    try:
        host.encode("idna")
    except UnicodeError:  # an empty or an overlong part
        return False
    return _HOST.fullmatch(host) is not None and (url.port is None or 0 < url.port < 65536)


@dataclass(frozen=True, slots=True)
class Download:
    """What a link led to: the final address and the content.

    ``coding``: a content coding that was named and cannot be undone here; the content may be plain all the same.
    """

    url: httpx.URL
    body: bytes
    coding: str = ""


class Downloads:
    """Fetches strangers' links. Safe for threads; connections are kept for a moment. Make it after a fork.

    ``allow_private_addresses``, for tests and demos, lets all pass but the metadata of clouds. ``check_address``
    replaces the check of public addresses. ``ca_path`` and ``proxy``: as for ``Connections``. A proxy looks up names
    itself: then what is checked here is not bound to what it connects to, and it has to refuse private addresses, too.
    """

    def __init__(
        self,
        *,
        allow_private_addresses: bool = False,
        timeouts: Timeouts = DOWNLOAD_TIMEOUTS,
        check_address: CheckAddress = public_addresses_of,
        ca_path: Path | None = None,
        proxy: str | None = None,
    ) -> None:
        self._timeouts = timeouts
        check = any_addresses if allow_private_addresses else check_address
        self._connections = Connections(check_address=check, ca_path=ca_path, proxy=proxy)

    def get(self, url: str, *, max_bytes: int) -> Download:
        """Fetch a link, over at most ``MAX_REDIRECTS`` redirects.

        ``max_bytes`` bounds the content, ``timeouts`` the whole of it. Raises ``DownloadError`` and nothing else.
        """
        deadline = time.monotonic() + self._timeouts.total
        target = _checked(url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._exchange(target, deadline, max_bytes)
            if answer.status not in _REDIRECTS:
                return _content(target, answer, max_bytes)
            target = _checked(answer.header(b"location"), target)
        raise DownloadError(f"{target.host}: more than {MAX_REDIRECTS} redirects, given up")

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    def _exchange(self, target: httpx.URL, deadline: float, max_bytes: int) -> Answer:
        left = deadline - time.monotonic()
        if left <= 0:
            raise DownloadError(f"{target.host}: no time left for one more redirect", retryable=True)
        request = httpx.Request("GET", target, headers={"Accept-Encoding": "identity", "User-Agent": "parley-worker"})
        timeouts = Timeouts(self._timeouts.connect, self._timeouts.read, left)
        try:
            return self._connections.send(request, timeouts, max_bytes)
        except NotSent as error:
            raise DownloadError(f"{target.host} could not be reached ({error})", retryable=True) from error
        except Unanswered as error:
            if error.answer is not None and not 200 <= error.answer.status < 300:
                return error.answer  # a redirect or a failure, whatever became of its body
            if isinstance(error, AnswerTooLarge):
                raise TooLarge(f"{target.host}: {error}") from error
            raise DownloadError(f"{target.host} did not answer in full ({error})", retryable=True) from error


def _checked(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        target = base.join(url) if base and url else httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise ForbiddenAddress("the link is no web address") from None
    if target.scheme not in ("http", "https") or not has_valid_host(target):
        raise ForbiddenAddress("the link is no web address: only http and https are fetched")
    if target.userinfo:
        raise ForbiddenAddress(f"the link to {target.host} carries a user name: such links are not fetched")
    return target


def _content(target: httpx.URL, answer: Answer, max_bytes: int) -> Download:
    if not 200 <= answer.status < 300:
        raise _failure(target, answer.status)
    coding = answer.header(b"content-encoding")
    body = plain(answer.body, coding, max_bytes)
    if len(body) > max_bytes:
        raise TooLarge(f"{target.host}: the content is larger than {max_bytes} bytes when it is unpacked")
    return Download(target, body, not_undone(coding))


def _failure(target: httpx.URL, status: int) -> DownloadError:
    retryable = status >= 500 or status in (408, 425, 429)
    advice = "try again later" if retryable else "trying again changes nothing"
    return DownloadError(f"{target.host} answered {status}: {advice}", retryable=retryable, status=status)
