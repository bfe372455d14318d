"""What operators write about their acts, in words of their own: pure."""

from __future__ import annotations

from config.plain_text import shortened

# Most characters of a reason, so that tables, sentences and pages can show it.
MOST_REASON = 500
# Most characters of who acts, where that is no account of the system or of the console.
MOST_NAME = 64
# Most characters of a reason and who gave it.
MOST_NOTE = MOST_REASON + MOST_NAME + 36


def as_shown(note: str) -> str:
    """A stored note as one line. What was written before there was a limit can be longer: then it is cut."""
    return shortened(note, MOST_NOTE)
