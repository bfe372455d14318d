"""The kinds of values that settings have: each with the bounds within which all that depends on it works."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("no IANA zone of this name, such as Europe/Berlin, is known") from None
    return name


def _certificates(path: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # also what OpenSSL says of the content
        if isinstance(error, ssl.SSLError):
            raise ValueError(f"{path} holds no certificate in PEM: give the certificate of your authority") from None
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    return path


def _proxy(url: SecretStr) -> SecretStr:
    # It can hold a password: no text quotes it.
    try:
        parts = urlsplit(url.get_secret_value())
        complete = parts.hostname and parts.port != 0
    except ValueError:
        complete = False
    bare = complete and parts.path in ("", "/") and not parts.query and not parts.fragment
    if not bare or parts.scheme not in ("http", "https") or not url.get_secret_value().isprintable():
        raise ValueError(
            "must be http://host:port or https://host:port; user and password, if it wants them, before the host as "
            "user:password@, written with % for what is no letter or digit"
        )
    return url


# Every time and every count has an end. The store keeps times as whole milliseconds of the clock, and a command that a
# number is too large for fails in the middle of a script, after others have run.
TEN_YEARS = 10 * 365 * 86_400.0
Seconds = Annotated[float, Field(ge=0.001, le=TEN_YEARS, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, le=TEN_YEARS, allow_inf_nan=False)]
# The operating system takes no longer time for a socket than 24 days, and a call of hours is none.
CallSeconds = Annotated[float, Field(ge=0.001, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
WallTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ZoneName = Annotated[str, AfterValidator(_known_zone)]
CaPath = Annotated[Path, AfterValidator(_certificates)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy)]
PLAIN_CONTENT = "plain"
PersonaName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Section(BaseModel):
    """A frozen part of the tree; an unknown name in it is an error, so that a typo cannot pass for a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
