"""The sections of the HTTP ingress: where it listens, who may send, and how much.

All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from config.placeholders import Secret
from config.values import CallSeconds, Count, JsonObject, Listed, PersonaName, SecondsOrZero, Section

EnqueuedKind = Literal["inbound_chat", "ai_opener", "event_trigger", "follow_up", "money_event"]
SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)  # as Standard Webhooks demands


def _webhook_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES:
        raise ValueError(
            "is no secret of Standard Webhooks: write whsec_ and base64 of 24 to 64 bytes "
            '(echo "whsec_$(openssl rand -base64 32)")'
        )
    return secret


def secrets(value: object) -> object:
    """What a variable says of several secrets, as a list.

    ``value``: a text, or what is a list already. Returns what the model checks.
    """
    # Blanks as well as commas: base64 has neither.
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return value.replace(",", " ").split()
    return value


WebhookSecret = Annotated[Secret, AfterValidator(_webhook_secret)]


class Source(Section):
    """Someone who may send events. It has exactly one of ``token``, ``signing_secret`` and ``open``.

    ``token``: what it sends as ``Authorization: Bearer ...``, at least 16 characters. ``signing_secret``: those of
    Standard Webhooks (``whsec_...``); several hold at once, to replace one without a gap. ``open``: requests without
    any of these are taken, only on loopback. ``personas``, ``kinds``: what it may send, default: all. ``per_second``:
    events that it may send in the long run, to each web process; ``burst``: as many at once.
    """

    token: Annotated[Secret, Field(min_length=16)] | None = None
    signing_secret: Annotated[tuple[WebhookSecret, ...], Listed, BeforeValidator(secrets)] = ()
    open: bool = False
    personas: Annotated[tuple[PersonaName, ...], Listed, Field(min_length=1)] | None = None
    kinds: Annotated[tuple[EnqueuedKind, ...], Listed, Field(min_length=1)] | None = None
    per_second: Annotated[float, Field(gt=0, le=1_000_000)] = 2000.0
    burst: Count = 4000

    @model_validator(mode="after")
    def _has_one_way_to_show_who_it_is(self) -> Source:
        if sum((self.token is not None, bool(self.signing_secret), self.open)) != 1:
            raise ValueError("needs exactly one of __TOKEN, __SIGNING_SECRET and __OPEN: set one of them")
        return self


class CaptivateDoor(Section):
    """What becomes of a request that Captivate posts to a chat endpoint.

    ``target``: where in the request the lead's identity is: names with dots between them. A lead whose request has
    nothing there is known by the session. ``target_as``: ``hashed``, or ``shown`` as it is. ``answer``: ``captivate``
    is 200 with an answer without messages; ``receipt`` is 202 with the receipt. ``same_seconds``: the same request
    without an id is the same message for so long; 0 = never.
    """

    target: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_$-]+(\.[A-Za-z0-9_$-]+)*$")] = "session_id"
    target_as: Literal["hashed", "shown"] = "hashed"
    answer: Literal["captivate", "receipt"] = "captivate"
    same_seconds: Annotated[SecondsOrZero, Field(le=3600)] = 2.0

    @model_validator(mode="after")
    def _shows_no_session(self) -> CaptivateDoor:
        if self.target == "session_id" and self.target_as == "shown":
            raise ValueError(
                "TARGET_AS=shown would show session ids in logs and in Flower: set TARGET to a handle of the lead, "
                "or TARGET_AS=hashed"
            )
        return self


class Ingress(Section):
    """The ingress (``python -m worker.web``). Without a source it answers nobody. ``enabled``: false = the web process
    serves the console only.

    ``body_bytes``, ``head_bytes``: most bytes of a request. ``body_bytes_in_all``: of all bodies that are under way;
    with more, the one that has begun first is given up. ``request_seconds``: how long a sender may take for the head of
    a request, and again for its body. ``idle_seconds``: how long a connection may stay open between requests.
    ``connections``: most of them at once; a new one then takes the place of the one that has waited for its sender for
    the longest time.
    """

    enabled: bool = True
    address: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    sources: Annotated[dict[SourceName, Source], JsonObject] = Field(default_factory=dict)
    captivate: CaptivateDoor = CaptivateDoor()
    body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1_048_576
    body_bytes_in_all: Annotated[int, Field(ge=1024, le=4 * 1024 * 1024 * 1024)] = 64 * 1024 * 1024
    head_bytes: Annotated[int, Field(ge=1024, le=1024 * 1024)] = 16_384
    request_seconds: CallSeconds = 10.0
    idle_seconds: CallSeconds = 15.0
    connections: Annotated[int, Field(ge=1, le=100_000)] = 1000

    @model_validator(mode="after")
    def _one_body_has_room(self) -> Ingress:
        if self.body_bytes_in_all < self.body_bytes:
            raise ValueError(
                f"BODY_BYTES_IN_ALL ({self.body_bytes_in_all}) is less than BODY_BYTES ({self.body_bytes}): no body of "
                "that size would have room; make it at least as large"
            )
        return self

    @model_validator(mode="after")
    def _each_source_is_known_by_its_own(self) -> Ingress:
        owners: dict[str, str] = {}
        for name, source in sorted(self.sources.items()):
            own = [source.token] if source.token else list(source.signing_secret)
            for secret in own:
                other = owners.setdefault(secret.get_secret_value(), name)
                if other != name:
                    raise ValueError(f"sources {other} and {name} have the same secret: give each its own")
        opened = [name for name, source in sorted(self.sources.items()) if source.open]
        if opened and not _is_loopback(self.address):
            raise ValueError(
                f"source {opened[0]} is open and the ingress listens on {self.address}: everybody who reaches it could "
                "speak for every lead; give the source a TOKEN, or listen on 127.0.0.1"
            )
        if len(opened) > 1:
            raise ValueError(f"sources {' and '.join(opened)} are open: nothing tells them apart, keep one of them")
        return self


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
