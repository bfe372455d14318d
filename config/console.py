"""The section of the console: the pages for operators in a browser.

All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from config.values import Listed, Section


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("must be the address that operators type, without a path: https://parley.example.com")
    return f"{parts.scheme}://{parts.netloc}".lower()


class Console(Section):
    """The console (``PARLEY_CONSOLE__ENABLED=true python -m worker.web``), for operators in a browser.
    Who may log in is in ``PARLEY_OPERATORS_FILE`` (``parley operator add``).

    ``url``: the address that operators type when a proxy
    stands in front, such as ``https://parley.example.com``; with https the session's cookie is sent over TLS only.
    ``proxies``: addresses of proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    ``idle_minutes``: a session without a request ends after so long; ``session_hours``: each one ends after so long.
    ``connections``: most of them at once.
    """

    enabled: bool = False
    address: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8081
    url: Annotated[str, AfterValidator(_origin)] | None = None
    proxies: Annotated[tuple[str, ...], Listed] = ()
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    connections: Annotated[int, Field(ge=1, le=10_000)] = 200
