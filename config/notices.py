"""The section of notices: what Parley tells those who have to know what became of an event."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.notice_endpoints import Endpoint, EndpointName
from config.values import JsonObject, Section

DAY_MS = 86_400_000


class Notices(Section):
    """Notices of what became of events, conversations and personas, for those who pull them or get them pushed.

    Off by default. ``keep``: write them. ``bytes``: how much memory of the store all of them may take. ``days``: how
    long each is kept. Beyond either bound the oldest are dropped and counted. ``endpoints``: where they are pushed to;
    with one of them notices are kept in any case.
    """

    keep: bool = False
    bytes: Annotated[int, Field(ge=1024 * 1024, le=64 * 1024**3)] = 64 * 1024 * 1024
    days: Annotated[float, Field(ge=0.01, le=365)] = 3.0
    endpoints: Annotated[dict[EndpointName, Endpoint], JsonObject] = Field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """Whether they are written."""
        return self.keep or bool(self.endpoints)

    @property
    def age_ms(self) -> int:
        """``days`` in milliseconds."""
        return int(self.days * DAY_MS)

    def share(self, shards: int) -> tuple[int, int] | None:
        """Bytes and milliseconds of what each of so many shards keeps; None = they are off."""
        return (self.bytes // shards, self.age_ms) if self.enabled else None
