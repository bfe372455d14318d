"""Whether what leads and personas said is kept, and for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.values import Section

_DAY_MS = 86_400_000


class Transcript(Section):
    """What leads wrote and what they got, kept for operators who may read it. ``days``: for so long; 0 (the default):
    nothing is kept. ``entries``: of one conversation, the newest ones."""

    days: Annotated[int, Field(ge=0, le=3650)] = 0
    entries: Annotated[int, Field(ge=1, le=10_000)] = 1000

    @property
    def kept_ms(self) -> int:
        """``days`` in milliseconds."""
        return self.days * _DAY_MS
