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

import httpcore

from worker.deadlines import Helpers
from worker.sockets import limit_waiting

CheckAddress = Callable[[str, int], str | Sequence[str]]

# A thread for each look-up that hangs, and no more: who comes later waits for a free one, within its own time.
MOST_LOOK_UPS = 32
# A name may have any number of addresses, and each may be one that never answers.
MOST_ADDRESSES = 8
# What one write gives to the system: over TLS each piece is encrypted again for each try.
WRITE_BYTES = 64 * 1024
TLS_WRITE_BYTES = 16 * 1024

_BACKEND = httpcore.SyncBackend()
_SHORTEST = 0.001


class Deadline:
    """When the call under way has to be over, and whether any byte of it was ``written``."""

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
        self, host: str, port: int, tls: ssl.SSLContext | None, deadline: Deadline, seconds: float
    ) -> NetworkStream:
        """A connection, ready for the request. Look-up, all addresses and handshake share ``seconds``.

        Raises ``httpcore.ConnectError`` or ``ConnectTimeout``, and whatever ``check_address`` raises.
        """
        until = time.monotonic() + deadline.within(seconds)
        addresses = self._addresses(host, port, until)
        stream = _connected(addresses, port, until)
        if tls is not None:
            stream = stream.start_tls(tls, host, max(_SHORTEST, until - time.monotonic()))
        return NetworkStream(stream, deadline)

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
        return [found] if isinstance(found, str) else found[:MOST_ADDRESSES]


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, each once, in the order in which to try them. Raises ``httpcore.ConnectError``."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:  # also a host or a port that cannot exist
        raise httpcore.ConnectError(error) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _connected(addresses: Sequence[str], port: int, until: float) -> httpcore.NetworkStream:
    failure: Exception = httpcore.ConnectError("the host has no address")
    for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        # One that never answers leaves time for the others.
        seconds = _left(until) / untried
        try:
            return _BACKEND.connect_tcp(address, port, max(_SHORTEST, seconds))
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            failure = error
        except (UnicodeError, OverflowError) as error:
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

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._deadline = deadline
        self._socket: socket.socket = stream.get_extra_info("socket")
        self._tls = self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._patience = 0.0
        if self._tls:
            # The system cannot time what TLS does with it.
            self._tls.setblocking(False)

    def has_something(self) -> bool:
        """Whether there is anything to read: before a request that is the end, or what nobody asked for."""
        return bool(self._poll.poll(0)) or (self._tls is not None and self._tls.pending() > 0)

    def close(self) -> None:
        """Close it, without a word to the peer."""
        self._socket.close()

    def read(self, most_bytes: int, silence: float) -> bytes:
        """What came, at most ``most_bytes``; empty if the peer has closed. Waits for ``silence`` seconds at most."""
        seconds = self._deadline.within(silence)
        if seconds <= 0:
            raise httpcore.ReadTimeout("the call took longer than its total time allows")
        if self._tls:
            return self._read_tls(most_bytes, silence)
        if seconds != self._patience:
            self._patience = seconds
            limit_waiting(self._socket, max(_SHORTEST, seconds))
        try:
            return self._socket.recv(most_bytes)
        except (TimeoutError, BlockingIOError) as error:
            raise httpcore.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def write(self, data: bytes, silence: float) -> Iterator[bytes]:
        """Write all of ``data``, unless the caller stops. Yields what the peer says before it has taken everything:
        one that has refused a request need not read the rest, and may close at once.

        ``silence``: seconds without a byte taken or said.
        """
        at, most = 0, TLS_WRITE_BYTES if self._tls else WRITE_BYTES
        view = memoryview(data)
        while True:
            if self._deadline.within(silence) <= 0:
                raise httpcore.WriteTimeout("the call took longer than its total time allows")
            self._deadline.written = True
            at += self._write_now(view[at : at + most])
            if at >= len(data):
                return
            if self._wait(select.POLLIN | select.POLLOUT, silence, httpcore.WriteTimeout) & ~select.POLLOUT:
                said = self._read_now(WRITE_BYTES)
                if said is not None:
                    yield said

    def _write_now(self, piece: memoryview) -> int:
        try:
            return self._tls.send(piece) if self._tls else self._socket.send(piece, socket.MSG_DONTWAIT)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def _read_tls(self, most_bytes: int, silence: float) -> bytes:
        while (came := self._read_now(most_bytes)) is None:
            self._wait(select.POLLIN, silence, httpcore.ReadTimeout)
        return came

    def _read_now(self, most_bytes: int) -> bytes | None:
        """What is there, or None."""
        try:
            return self._tls.recv(most_bytes) if self._tls else self._socket.recv(most_bytes, socket.MSG_DONTWAIT)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def _wait(self, events: int, silence: float, timeout: type[Exception]) -> int:
        """Wait until one of ``events`` is there. Returns which."""
        if self._tls and self._tls.pending():
            return select.POLLIN
        waiting = select.poll()
        waiting.register(self._socket, events)
        seconds = self._deadline.within(silence)
        if seconds <= 0:
            raise timeout("the call took longer than its total time allows")
        found = waiting.poll(max(1, seconds * 1000))
        if not found:
            raise timeout("silence")
        return found[0][1]
