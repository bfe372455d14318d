"""Sessions of operators: a signed cookie. Nothing is kept of them, so any web process knows any session."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from starlette.responses import Response

from config.console import Console
from config.operators import Operator
from worker.web.console.operators import Operators

_SALT = "parley.console."
_KNOWN_SECONDS = 180 * 86_400


@dataclass(frozen=True, slots=True)
class Session:
    """An operator who is logged in. ``token``: what each act has to bring (against requests of other sites).
    ``began_at``: seconds."""

    operator: Operator
    token: str
    began_at: int
    renewed: bool = False


class _ClockedSigner(TimestampSigner):
    """Signs with the time of a clock."""

    def __init__(self, *arguments: Any, clock: Callable[[], float], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


class Sessions:
    """Begins sessions and reads them from cookies. ``key``: may raise ``StoreError``. ``clock``: seconds since 1970."""

    def __init__(
        self,
        settings: Console,
        operators: Operators,
        key: Callable[[], bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._operators = operators
        self._key = key
        # Of a plain address, browsers refuse the name with the prefix.
        self._secure = bool(settings.url and settings.url.startswith("https:"))
        prefix = "__Host-" if self._secure else ""
        self.cookie, self.known_cookie, self.told_cookie = (
            f"{prefix}parley_{part}" for part in ("session", "known", "told")
        )

    def begin(self, operator: Operator) -> Session:
        """A new session: nothing of a cookie that was there before is in it."""
        return Session(operator, secrets.token_urlsafe(24), int(self._clock()))

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None when it is none of ours, is over, or the operator is no longer the same."""
        try:
            told, stamped = self._signed("session").loads(
                cookie, max_age=self._settings.idle_minutes * 60, return_timestamp=True
            )
            name, token, began_at, password = told
        except (BadSignature, ValueError, TypeError):
            return None
        operator = self._operators.named(name)
        if operator is None or not hmac.compare_digest(password, _mark_of(operator)):
            return None
        if self._clock() - began_at > self._settings.session_hours * 3600:
            return None
        # The cookie says when it was last written: once a minute is enough.
        return Session(operator, token, began_at, renewed=self._clock() - stamped.timestamp() > 60)

    def write(self, response: Response, session: Session) -> None:
        """Give the browser the cookie of a session."""
        told = [session.operator.name, session.token, session.began_at, _mark_of(session.operator)]
        self.set(response, self.cookie, self._signed("session").dumps(told))

    def renew(self, response: Response, session: Session) -> None:
        """Write it again when it is time: it was used."""
        if session.renewed:
            self.write(response, replace(session, renewed=False))

    def end(self, response: Response) -> None:
        """Take the cookie away."""
        response.delete_cookie(self.cookie, secure=self._secure, httponly=True, samesite="lax")

    def known(self, cookie: str, name: str) -> str:
        """The id of a browser in which this operator has logged in before; '' = it is not known."""
        try:
            known_name, browser = self._signed("known").loads(cookie, max_age=_KNOWN_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return ""
        return str(browser) if known_name == name else ""

    def write_known(self, response: Response, name: str) -> None:
        """From now on the browser is known as one of this operator's."""
        told = self._signed("known").dumps([name, secrets.token_urlsafe(12)])
        self.set(response, self.known_cookie, told, _KNOWN_SECONDS)

    def set(self, response: Response, name: str, value: str, seconds: int | None = None) -> None:
        """Set a cookie that no script reads and no other site sends with a form."""
        response.set_cookie(name, value, max_age=seconds, secure=self._secure, httponly=True, samesite="lax")

    def _signed(self, use: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._key(),
            salt=_SALT + use,
            signer=_ClockedSigner,
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac", "clock": self._clock},
        )


def _mark_of(operator: Operator) -> str:
    # A new password ends the sessions of the old one.
    return hashlib.sha256(operator.password_hash.encode()).hexdigest()[:16]
