"""The answer of a persona to an event, whatever API was called."""

from __future__ import annotations

from dataclasses import dataclass

from worker.domain.event_parts import LeftOut


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read. Without bubbles and photo the persona says nothing.

    ``bubbles``: separate text messages in order; ``photo_url``: to be sent after them. ``ignored``: the lead belongs to
    another account of the persona, and nothing is to be sent. ``continued``: there was a live conversation already.
    ``left_out``: the parts of the answer that could not be read.

    Some APIs say more. ``photos``: the places in ``bubbles`` that hold the address of a photo instead of a text.
    ``delays``: the persona's own pause before each bubble, in seconds; empty = it names none. ``repeated``: the server
    took the call for a repeat of an earlier one. ``silence``: why there are no bubbles, as one word.
    ``no_such_trigger``: the server does not know the type of a platform event.
    """

    bubbles: tuple[str, ...] = ()
    photo_url: str | None = None
    ignored: bool = False
    continued: bool = False
    left_out: tuple[LeftOut, ...] = ()
    photos: tuple[int, ...] = ()
    delays: tuple[float, ...] = ()
    repeated: bool = False
    silence: str = ""
    no_such_trigger: bool = False
