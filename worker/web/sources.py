"""Who may send, and what: the sources of the settings, and how a request shows that it comes from one of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import floor

from standardwebhooks import Webhook, WebhookVerificationError

from config import ingress
from config.settings import Settings, SettingsError
from worker.web.problems import Problem
from worker.web.rates import Bucket

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="parley"'}
_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")
_HERE = ("127.0.0.1", "localhost", "[::1]")

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """Someone who may send. ``personas``, ``kinds``: None = all. ``signs``: its requests are signed."""

    name: str
    personas: frozenset[str] | None
    kinds: frozenset[str] | None
    bucket: Bucket
    signs: bool

    def spend(self, events: int) -> None:
        """Count events against its rate. Raises ``Problem``."""
        if seconds := self.bucket.take(events):
            raise Problem("too-fast", f"source {self.name} has used up its rate", retry_seconds=seconds)

    def check(self, persona: object, kind: object) -> None:
        """Whether it may send such an event; what is no name is for the door to refuse. Raises ``Problem``."""
        if self.personas is not None and isinstance(persona, str) and persona not in self.personas:
            raise Problem("forbidden", f"source {self.name} may not send for this persona", field="persona")
        if self.kinds is not None and isinstance(kind, str) and kind not in self.kinds:
            raise Problem("forbidden", f"source {self.name} may not send events of this kind", field="kind")


class _Signature(Webhook):
    # The library takes only bodies that are UTF-8. A platform signs what it sends, and what is wrong in it is for the
    # readers of bodies to say or to mend. In Latin-1, head and body are the bytes that came.
    def sign(self, msg_id: str, timestamp: datetime, data: str) -> str:
        signed = f"{msg_id}.{floor(timestamp.timestamp())}.{data}".encode("latin-1")
        return f"v1,{base64.b64encode(hmac.digest(self._whsecret, signed, 'sha256')).decode()}"


# Tells the source of a request whose body has been read. Raises ``Problem``.
Claim = Callable[[bytes], Source]


class Sources:
    """All configured sources. Raises ``SettingsError`` for one that names a persona that is not configured."""

    def __init__(self, settings: Settings) -> None:
        self._tokens: list[tuple[bytes, Source]] = []
        self._signers: list[tuple[Webhook, Source]] = []
        self._open: Source | None = None
        for name, given in settings.ingress.sources.items():
            if unknown := sorted(set(given.personas or ()) - set(settings.personas)):
                raise SettingsError(
                    f"PARLEY_INGRESS__SOURCES__{name.upper()}__PERSONAS: {unknown[0]} is no configured persona"
                )
            self._add(given, _source(name, given))

    def _add(self, given: ingress.Source, source: Source) -> None:
        if given.token is not None:
            self._tokens.append((_digest(given.token.get_secret_value()), source))
        self._signers += [(_Signature(secret.get_secret_value()), source) for secret in given.signing_secret]
        if given.open:
            self._open = source

    @property
    def names(self) -> list[str]:
        """The names of all."""
        known = [source for _, source in [*self._tokens, *self._signers]] + ([self._open] if self._open else [])
        return sorted({source.name for source in known})

    def claim(self, headers: Headers) -> Claim:
        """Who a request says it comes from, before its body is read: who is nobody's cannot make us read one.

        Raises ``Problem``.
        """
        if "authorization" in headers:
            source = self._of_token(headers["authorization"])
            return lambda _: source
        if all(name in headers for name in _SIGNED) and self._signers:
            return lambda body: self._of_signature(headers, body)
        if self._open is not None and not any(name in headers for name in _SIGNED):
            _from_here(headers)
            source = self._open
            return lambda _: source
        raise _unknown("the request has neither a bearer token nor the three headers of a signature")

    def of_reader(self, headers: Headers) -> Source:
        """The source that reads, of a request without a body. Raises ``Problem``."""
        return self.claim(headers)(b"")

    def _of_token(self, authorization: str) -> Source:
        scheme, _, token = authorization.partition(" ")
        found = None
        given = _digest(token.strip())
        # All of them, always: how long it takes must not tell which one was nearly right.
        for digest, source in self._tokens:
            if hmac.compare_digest(digest, given):
                found = source
        if found is None or scheme.lower() != "bearer":
            raise _unknown("the bearer token is that of no source")
        return found

    def _of_signature(self, headers: Headers, body: bytes) -> Source:
        signed = {name: headers[name] for name in _SIGNED}
        found = None
        for webhook, source in self._signers:
            if _verifies(webhook, signed, body):
                found = source
        if found is None:
            raise _unknown("the signature is that of no source, or more than five minutes old or early")
        return found


def _source(name: str, given: ingress.Source) -> Source:
    return Source(
        name,
        frozenset(given.personas) if given.personas is not None else None,
        frozenset(given.kinds) if given.kinds is not None else None,
        Bucket(given.per_second, given.burst),
        bool(given.signing_secret),
    )


def _verifies(webhook: Webhook, headers: dict[str, str], body: bytes) -> bool:
    try:
        webhook.verify(body.decode("latin-1"), headers, json_parse=False)
    except (WebhookVerificationError, ValueError, OverflowError):
        # It also stumbles over a signature that is none: over its parts and its base64.
        return False
    return True


def _from_here(headers: Headers) -> None:
    # A page in a browser of this machine can reach the port under a name that its author owns.
    host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    if host.lower() not in _HERE:
        raise _unknown("an open source is taken under 127.0.0.1 or localhost only")


def _unknown(detail: str) -> Problem:
    return Problem("unauthenticated", detail, headers=_CHALLENGE)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
