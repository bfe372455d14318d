"""What an internal error during a turn means for its event: pure decisions, no I/O."""

from __future__ import annotations

import random
import traceback

from worker.domain.decisions import Deliver, End, Rules, Wait
from worker.domain.reasons import of_farewell
from worker.domain.reply import farewell
from worker.domain.vocabulary import Cause, figures, rules_of
from worker.store.conversations.journal import Entry
from worker.store.conversations.turn_steps import Stumbled

# After this many errors in turns of one event, while others of its persona are answered, the event is the cause.
LIMIT = 5
_FIRST_PAUSE_SECONDS = 2.0


def place_of(error: BaseException) -> str:
    """Class and place of an error as the detail of a cause, without its text, which may quote content."""
    frames = [
        frame.f_globals.get("__name__", "?") + f":{line}" for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    own = [frame for frame in frames if frame.startswith(("worker.", "config.", "tasks."))]
    return figures(error=type(error).__name__, at=(own or frames or ["?"])[-1])


def of_stumble(
    head: Entry, place: str, stumbled: Stumbled, now: int, called: bool, rules: Rules, jitter: random.Random
) -> Deliver | End | Wait:
    """Decide what follows. ``place``: that of the error. ``now``: milliseconds of the store's clock. ``called``: the
    upstream may have been called in this attempt.

    An error that hits all events ends none of them before it is too old: they wait for a release without it.
    """
    valid_seconds = rules_of(head.kind).valid_seconds(rules.validity)
    if stumbled.own >= LIMIT or (now - head.accepted_at) / 1000 > valid_seconds:
        detail = f"{figures(times=stumbled.in_all)} {place}"
        # An answer that is stored stays with the dead event: a replay delivers it, and no farewell takes its place.
        reason = of_farewell(Cause.POISON_ERROR, detail)
        on_dead = rules.about(head.kind).persona.on_dead
        last_words = None if stumbled.replied else farewell("dead", reason, on_dead)
        return Deliver(last_words) if last_words else End("dead", Cause.POISON_ERROR, detail)
    seconds = min(rules.retry.pause_limit_seconds, _FIRST_PAUSE_SECONDS * 4.0 ** min(stumbled.in_all - 1, 10))
    # An opener or a follow-up whose attempt does not count is begun again at once when its lead has written.
    asked = called or rules_of(head.kind).speaks_first
    return Wait(seconds * jitter.uniform(0.8, 1.2), Cause.INTERNAL_ERROR, place, unknown=called, asked=asked)
