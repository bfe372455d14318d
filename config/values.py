"""The kinds of values that settings have: each with the bounds within which all that depends on it works."""

from __future__ import annotations

import json
import os
import re
import ssl
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from config import zones
from config.placeholders import Secret
from config.secret_files import shown


def _known_zone(text: str) -> str:
    if name := zones.canonical(text):
        return name
    if zone := zones.zone_of(text):
        return zones.name_of(zone)
    meant = zones.near(text)
    cure = f"did you mean {meant}?" if meant else "write one such as Europe/Berlin or UTC+05:30"
    raise ValueError(f"no IANA zone of this name is known; {cure}")


def _listed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        entries = [entry.strip().strip("\"'") for entry in value.removesuffix(",").split(",")]
        if not all(entries):
            raise ValueError("an entry of the list is empty: write 14400,86400")
        return entries
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("begins like a JSON list and is none: write 14400,86400 or [14400, 86400]") from None


def _object(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError('is no JSON object: write {"NAME": "value"}, names and texts in double quotes')
    return found


def named(value: Any) -> Any:
    """What ``PARLEY_PERSONAS`` may say: an object by names, or the names alone, ``ava,bea``."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        names = _listed(value)
        if all(isinstance(name, str) for name in names):
            return {name: {} for name in names}
    return _object(value)


def _certificates(path: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # also what OpenSSL says of the content
        if isinstance(error, ssl.SSLError):
            told = "holds no certificate in PEM: give the certificate of your authority"
            raise ValueError(f"{shown(path)} {told}") from None
        raise ValueError(f"{shown(path)} cannot be read: {error.strerror}; correct the path") from None
    except ValueError:  # a character that no path has
        raise ValueError(f"{shown(path)} is no path: give that of a file in PEM") from None
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


_HOST = re.compile(r"[0-9A-Za-z_.-]+|[0-9A-Fa-f:.]+")


def _server(text: str) -> str:
    if not _is_server(text):
        raise ValueError(
            "must be http(s)://host or http(s)://host:port, a path behind it at most: no user, no query, all in ASCII"
        )
    return text


def _origin(text: str) -> str:
    if not _is_server(text) or urlsplit(text).path not in ("", "/"):
        raise ValueError(
            "must be http(s)://host or http(s)://host:port, without path, query or user: only the host can be "
            "replaced, and a gateway's credentials are given as PARLEY_CAPTIVATE__HEADERS"
        )
    return text


def _is_server(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        # Refuses an empty or an overlong part of a name.
        host.encode("idna")
    except ValueError:
        return False
    bare = not any(character in text for character in "@?#\\ ") and text.isascii() and text.isprintable()
    return bare and parts.scheme in ("http", "https") and _HOST.fullmatch(host) is not None and port != 0


# As the client of Captivate checks them again: it imports nothing of ours.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_OUR_HEADERS = frozenset({"content-type", "content-length", "transfer-encoding", "idempotency-key"})


def _headers(given: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for place, (name, value) in enumerate(given.items(), start=1):
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"header {place} has no usable name: write letters, digits and - only")
        if name.lower() in _OUR_HEADERS:
            raise ValueError(f"header {name} is one that Parley writes itself: choose another name")
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of header {name} must be one line of printable ASCII without blanks around it")
    return given


def _readable(path: Path) -> Path:
    try:
        usable = path.is_file() and os.access(path, os.R_OK)
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise ValueError(f"{shown(path)} is not a file that this user may read: correct the path, or its rights")
    return path


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
ReadablePath = Annotated[Path, AfterValidator(_readable)]
ServerUrl = Annotated[str, AfterValidator(_server)]
OriginUrl = Annotated[str, AfterValidator(_origin)]
Headers = Annotated[dict[str, Secret], AfterValidator(_headers)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy)]
# What a variable gives as text: a list with commas or as JSON, an object as JSON.
Listed, JsonObject = BeforeValidator(_listed), BeforeValidator(_object)
PLAIN_CONTENT = "plain"
# An account of a persona on a platform, as a part of a target.
Account = Annotated[str, StringConstraints(pattern=r"^[^\s/:]{1,64}$")]
Platform = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]
PersonaName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Section(BaseModel):
    """A frozen part of the tree; an unknown name in it is an error, so that a typo cannot pass for a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _as_an_object(cls, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        try:
            return _object(data)
        except ValueError:
            name = next(iter(cls.model_fields)).upper()
            raise ValueError(f"is a section: set its parts, such as __{name} behind this name") from None
