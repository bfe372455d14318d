"""A moment in the past, as operators write it: how long ago, or when."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from worker.cli.ending import Usage

SinceOption = Annotated[str, typer.Option("--since", help="How long ago (90s, 15m, 2h, 3d), or when (UTC).")]

_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment_ms(text: str, now: int) -> int:
    """Milliseconds of the moment. ``now``: milliseconds of the store's clock. Raises ``Usage``."""
    if found := _AGO.fullmatch(text.strip().lower()):
        return max(0, now - round(float(found[1]) * _SECONDS[found[2]] * 1000))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Usage(f"--since is {text!r}: write 90s, 15m, 2h or 3d, or a moment such as 2026-11-29T10:00:00") from None
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return max(0, round(at * 1000))
