"""Where notices are pushed to: one section for each endpoint.

All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from config.ingress import WebhookSecret, secrets
from config.sections import Way
from config.values import Listed, PersonaName

_MOST_URL_CHARACTERS = 2048


def _address(url: SecretStr) -> SecretStr:
    # Many receivers know their senders by a part of the address: no text quotes it.
    text = url.get_secret_value()
    try:
        parts = urlsplit(text)
        complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= _MOST_URL_CHARACTERS
    if not (complete and plain) or parts.scheme not in ("https", "http") or "@" in parts.netloc or "#" in text:
        raise ValueError(
            "must be https://host/path without user and fragment, in ASCII: the signature shows who sends, and what "
            "else the receiver wants to know goes into path or query"
        )
    return url


EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
# As notices are called: a type, or a beginning of some with a star.
NoticeTypes = Annotated[str, StringConstraints(pattern=r"^parley\.([a-z_]+\.)*([a-z_]+|\*)$")]


class Endpoint(Way):
    """A receiver of notices.

    ``url``: where each notice is posted, https. ``secret``: those of Standard Webhooks (``whsec_...``) that sign it;
    with several there is a signature of each, to replace one without a gap. ``types``: only these, such as
    ``parley.event.dead`` or ``parley.conversation.*``. ``personas``: only theirs. ``from_now_on``: a new
    one begins with what is noted from its first start on, and not with the oldest notice that is kept. ``at_once``:
    most calls at the same time. ``timeout_seconds``: the longest call. ``allow_private_addresses``: it may be on this
    machine or its network, and plain http; a cloud's metadata is never called. ``ca_path`` and ``proxy``: as for
    FluidTalk. The proxy has to refuse private addresses itself, because it looks up the names.
    """

    url: Annotated[SecretStr, AfterValidator(_address)]
    secret: Annotated[tuple[WebhookSecret, ...], Listed, BeforeValidator(secrets), Field(min_length=1, max_length=8)]
    types: Annotated[tuple[NoticeTypes, ...], Listed, Field(min_length=1)] | None = None
    personas: Annotated[tuple[PersonaName, ...], Listed, Field(min_length=1)] | None = None
    from_now_on: bool = False
    at_once: Annotated[int, Field(ge=1, le=64)] = 8
    timeout_seconds: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 15.0
    allow_private_addresses: bool = False

    @model_validator(mode="after")
    def _is_sealed_on_its_way(self) -> Endpoint:
        if self.url.get_secret_value().lower().startswith("http:") and not self.allow_private_addresses:
            raise ValueError(
                "URL begins with http://, and everybody on the way could read who wrote when: use https, or set "
                "__ALLOW_PRIVATE_ADDRESSES=true for a receiver in your own network"
            )
        return self
