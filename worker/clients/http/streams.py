"""TCP and TLS connections whose every step ends in time: look-up, connect, handshake, read and write.

A peer decides how fast it is, never how long a thread waits for it.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import httpcore

from worker.clients.http.deadlines import Helpers
from worker.clients.http.tls import Tls
from worker.clients.sockets import limit_waiting

CheckAddress = Callable[[str, int], Sequence[str]]

# Each look-up that hangs holds a thread. Further look-ups wait for a free one, within their own time.
MOST_LOOK_UPS = 32
# A name may have any number of addresses, and each may be one that never answers.
MOST_ADDRESSES = 8
WRITE_BYTES = 64 * 1024

_SHORTEST = 0.001
_OVERDUE = "the call took longer than its total time allows"


class Deadline:
    """When the running call has to end, and whether any byte of it was ``written``."""

    def __init__(self) -> None:
        self._at = 0.0
        self.written = False

    def begin(self, seconds: float) -> None:
        """A call begins that may take so long."""
        self._at = time.monotonic() + seconds
        self.written = False

    def within(self, seconds: float) -> float:
        """``seconds``, or what is left of the call if that is less. 0 or less: its time is over."""
        return min(seconds, self._at - time.monotonic())


class Network:
    """Opens connections. Safe for threads.

    ``check_address(host, port)`` says which addresses a host has, or refuses it by raising; by default that is for the
    system to say.
    """

    def __init__(self, check_address: CheckAddress | None = None) -> None:
        self._check_address = check_address or system_addresses
        self._helpers = Helpers(MOST_LOOK_UPS)

    def connect(
        self, host: str, port: int, tls: Callable[[], ssl.SSLContext] | None, deadline: Deadline, seconds: float
    ) -> NetworkStream:
        """A connection, ready for the request. Look-up, all addresses and handshake share ``seconds``.

        Raises ``httpcore.ConnectError`` or ``ConnectTimeout``, and whatever ``check_address`` raises.
        """
        until = time.monotonic() + deadline.within(seconds)
        addresses = self._addresses(host, port, until)
        wire = _connected(addresses, port, until)
        try:
            return NetworkStream(wire, _greeted(wire, tls(), host, until) if tls else None, deadline)
        except BaseException:
            wire.close()
            raise

    def _addresses(self, host: str, port: int, until: float) -> Sequence[str]:
        seconds = _left(until)
        if _is_address(host):
            found = self._check_address(host, port)
        else:
            try:
                found = self._helpers.run(lambda: self._check_address(host, port), seconds)
            except TimeoutError as error:
                raise httpcore.ConnectTimeout("the name look-up took too long") from error
            except RuntimeError as error:
                raise httpcore.ConnectError("no thread was free for the name look-up") from error
        return found[:MOST_ADDRESSES]


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, each once, in the order in which to try them. Raises ``httpcore.ConnectError``."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:  # also a host or a port that cannot exist
        raise httpcore.ConnectError(error) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _connected(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    failure: Exception = httpcore.ConnectError("the host has no address")
    for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        # One that never answers leaves time for the others.
        seconds = _left(until) / untried
        try:
            wire = socket.create_connection((address, port), max(_SHORTEST, seconds))
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return wire
        except TimeoutError as error:
            failure = httpcore.ConnectTimeout(error)
        except (OSError, UnicodeError, OverflowError) as error:  # also a host or a port that cannot exist
            failure = httpcore.ConnectError(error)
    raise failure


def _left(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise httpcore.ConnectTimeout("the time to connect was over")
    return seconds


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class NetworkStream:
    """A connection for one call after the other. Raises the read and write errors of httpcore."""

    def __init__(self, wire: socket.socket, tls: Tls | None, deadline: Deadline) -> None:
        self._socket = wire
        self._tls = tls
        self._deadline = deadline
        self._poll = select.poll()
        self._poll.register(wire, select.POLLIN)
        self._patience = 0.0

    def has_something(self) -> bool:
        """Whether there is anything to read: before a request that is the end, or bytes without a question."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close it, without a word to the peer."""
        self._socket.close()

    def read(self, most_bytes: int, silence: float) -> bytes:
        """What came, about ``most_bytes`` at most; empty if the peer has closed. Waits for ``silence`` seconds."""
        while True:
            seconds = self._deadline.within(silence)
            if seconds <= 0:
                raise httpcore.ReadTimeout(_OVERDUE)
            if seconds != self._patience:
                self._patience = seconds
                limit_waiting(self._socket, max(_SHORTEST, seconds))
            try:
                came = self._receive(most_bytes)
            except BlockingIOError as error:
                raise httpcore.ReadTimeout(error) from error
            if came is not None:
                return came

    def write(self, data: bytes, silence: float) -> Iterator[bytes]:
        """Write all of ``data``, unless the caller stops. Yields what the peer says before it has taken everything:
        one that has refused a request need not read the rest, and may close at once.

        ``silence``: seconds without a byte taken or said.
        """
        for start in range(0, len(data), WRITE_BYTES):
            left = self._on_the_wire(memoryview(data)[start : start + WRITE_BYTES])
            is_last = start + WRITE_BYTES >= len(data)
            while left:
                if self._deadline.within(silence) <= 0:
                    raise httpcore.WriteTimeout(_OVERDUE)
                self._deadline.written = True
                left = left[self._send(left) :]
                if left or not is_last:
                    yield from self._heard(silence)

    def _on_the_wire(self, piece: memoryview) -> memoryview:
        if self._tls is None:
            return piece
        try:
            return memoryview(self._tls.encrypt(piece))
        except ssl.SSLError as error:
            raise httpcore.WriteError(error) from error

    def _send(self, piece: memoryview) -> int:
        try:
            return self._socket.send(piece, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def _heard(self, silence: float) -> Iterator[bytes]:
        """Wait until the peer takes or says something. Yields what it says."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | select.POLLOUT)
        found = waiting.poll(max(1.0, self._deadline.within(silence) * 1000))
        if not found:
            raise httpcore.WriteTimeout("silence")
        if found[0][1] & ~select.POLLOUT:
            with suppress(BlockingIOError):
                said = self._receive(WRITE_BYTES, socket.MSG_DONTWAIT)
                if said is not None:
                    yield said

    def _receive(self, most_bytes: int, flags: int = 0) -> bytes | None:
        """What came; None if that means nothing yet. Raises ``BlockingIOError`` if nothing came."""
        if self._tls and self._tls.closed:
            return b""
        try:
            came = self._socket.recv(most_bytes, flags)
            return self._tls.decrypt(came) if self._tls else came
        except BlockingIOError:
            raise
        except OSError as error:
            raise httpcore.ReadError(error) from error


def _greeted(wire: socket.socket, context: ssl.SSLContext, host: str, until: float) -> Tls:
    """TLS over a new connection, its handshake done."""
    try:
        tls, came, is_done = Tls(context, host), b"", False
        while not is_done:
            said, is_done = tls.shake_hands(came)
            wire.settimeout(_left(until))
            wire.sendall(said)
            if not is_done:
                wire.settimeout(_left(until))
                came = wire.recv(WRITE_BYTES)
                if not came:
                    raise httpcore.ConnectError("closed within the handshake")
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(error) from error
    except (OSError, ValueError) as error:  # ValueError: a host name that TLS cannot hold
        raise httpcore.ConnectError(error) from error
    return tls
