"""TLS between bytes: what to send for what is meant, what is meant by what came. No connection is known here.

A TLS socket of Python's stops reading when it cannot write any more. Then what a peer said before it closed is lost,
such as why it refuses a request.
"""

from __future__ import annotations

import ssl

_PIECE_BYTES = 16 * 1024


class Tls:
    """The client's side of one TLS connection to ``host``. Raises ``ssl.SSLError``.

    ``closed``: the peer has said that nothing more comes.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.closed = False
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def shake_hands(self, came: bytes) -> tuple[bytes, bool]:
        """Go on with what came, first with nothing. Returns what to send, and whether the handshake is done then."""
        self._incoming.write(came)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read(), False
        return self._outgoing.read(), True

    def encrypt(self, data: memoryview) -> bytes:
        """What to send for ``data``."""
        written = 0
        while written < len(data):
            written += self._object.write(data[written:])
        return self._outgoing.read()

    def decrypt(self, came: bytes) -> bytes | None:
        """All that is meant by what came, in order. Empty: the peer has closed; None: nothing yet."""
        if came:
            self._incoming.write(came)
        else:
            self._incoming.write_eof()
        pieces: list[bytes] = []
        try:
            pieces.append(self._object.read(_PIECE_BYTES))
            # Asking once more when nothing can be there costs an exception.
            while pieces[-1] and (self._object.pending() or self._incoming.pending):
                pieces.append(self._object.read(_PIECE_BYTES))
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            pieces.append(b"")
        self.closed = pieces[-1:] == [b""]
        if self._outgoing.pending > _PIECE_BYTES:
            raise ssl.SSLError("the peer asks for one new key after the other")
        return b"".join(pieces) if pieces else None
