"""What an error of our own in the middle of a turn means for its event: pure decisions, no I/O."""

from __future__ import annotations

import random
import traceback
from typing import Literal

from worker.outcomes import Deliver, End, Rules, Wait
from worker.reply import farewell
from worker.store.journal import Entry

# An error that comes so often in turns of this event, while others of its persona are answered, is the event's own.
LIMIT = 5
_FIRST_PAUSE_SECONDS = 2.0

Called = Literal["no", "maybe"]


def place_of(error: BaseException) -> str:
    """Class and place of an error, as one text without what it says: that may quote content."""
    frames = [
        frame.f_globals.get("__name__", "?") + f":{line}" for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    own = [frame for frame in frames if frame.startswith(("worker.", "config.", "tasks."))]
    return f"{type(error).__name__} at {(own or frames or ['?'])[-1]}"


def of_stumble(
    head: Entry, place: str, stumbles: int, own: int, called: Called, now: int, rules: Rules, jitter: random.Random
) -> Deliver | End | Wait:
    """``stumbles``: how often a turn of this event ended so, this time included; ``own``: those that count against it.
    ``called``: whether the upstream may have been called in this attempt. ``now``: milliseconds of the store's clock.

    An error that meets all events ends none of them before it is too old: they wait for a release without it.
    """
    valid_seconds: float = getattr(rules.validity, f"{head.kind}_seconds", rules.validity.inbound_chat_seconds)
    if own >= LIMIT or (now - head.accepted_at) / 1000 > valid_seconds:
        return _dead(f"poison: internal error, {stumbles} times, the last one {place}", head, rules)
    seconds = min(rules.retry.pause_limit_seconds, _FIRST_PAUSE_SECONDS * 4.0 ** min(stumbles - 1, 10))
    # An opener or a follow-up whose attempt does not count is begun again at once when its lead has written.
    asked = called == "maybe" or head.kind in ("ai_opener", "follow_up")
    return Wait(seconds * jitter.uniform(0.8, 1.2), f"internal error: {place}", unknown=called == "maybe", asked=asked)


def _dead(reason: str, head: Entry, rules: Rules) -> Deliver | End:
    # A stored reply stays with the dead event: it is delivered by a replay, and no farewell takes its place.
    last_words = farewell("dead", reason, rules.persona.on_dead) if head.reply is None else None
    return Deliver(last_words) if last_words else End("dead", reason)
