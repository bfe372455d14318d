"""The ramp of a persona's openers, and how they ended."""

from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import PersonaKeys


@face("ramp moments gone")
def ramp(
    keys: PersonaKeys,
    *,
    opener: str,
    settings: str,
    openers_per_hour: float,
    growth_per_day: float,
    most_per_hour: float,
    jitter: float,
    valid_ms: int,
) -> Any:
    """Whether an opener may go now, or how long it waits."""


@face("outcomes persona ramp")
def outcome(
    keys: PersonaKeys, *, opener: str, ended: str, window: int, share: float, minimum: int, begun_at: Text
) -> Any:
    """Count how an opener ended."""
