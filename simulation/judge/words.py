"""By which words the servers' logs show an event: what a persona call asks, and what a delivery answers.

An inbound chat is known by its text, each line for itself, and by the name of its image; any other event by its id, if
its sender gave that as the account (``own_username``) and as ``event`` in the channel's own metadata. So is a STOP,
which all leads write alike.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from simulation.upstreams.call_log import Call

STOP = "STOP"

_SAID = "You said: "
_IMAGE = "You sent an image: "


def session_of(persona: str, target: str) -> str:
    """The Captivate conversation of a lead whose calls to both upstreams shall be told to be of the same lead."""
    return f"session {persona} {target}"


def is_ask(call: Call) -> bool:
    """Whether it calls a persona about a lead: a chat or an action, not the upload of an image."""
    return call.service == "fluidtalk" and call.target is not None


def is_recognised_repeat(call: Call) -> bool:
    """Whether the Characters API answered it as a repetition of an earlier call: nothing was done or said again."""
    return "/characters/" in call.path and is_ask(call) and not call.acted and call.status == 200


def asked(call: Call, known: Container[str]) -> list[str]:
    """The words of a persona call, in order: all lines of its message; of the others those in ``known``."""
    lines = str(call.fields.get("message", "")).split("\n")
    others = (_name(call.fields.get("image_url", "")), call.fields.get("own_username", "") if call.action else "")
    return [line for line in lines if line] + [word for word in others if word in known]


def told(call: Call, known: Container[str], said: Container[str] = ()) -> list[str]:
    """For each bubble of a delivery the word of ``known`` that it answers, or else its text.

    ``said``: texts of persons, which answer no event, though they go out on the channel of one.
    """
    return [text if text in said else _answered(text, event_of(call), known) for text in bubbles_of(call)]


def bubbles_of(call: Call) -> list[str]:
    """The texts of a delivery."""
    return [message["text"] for message in call.fields.get("response", ()) if message.get("type") == "text"]


def event_of(call: Call) -> str | None:
    """The event that the channel of a delivery came with; None when its sender did not note one."""
    place: Any = call.fields
    for key in ("metadata", "internal", "channelMetadata", "channelMetadata", "event"):
        place = place.get(key) if isinstance(place, dict) else None
    return place if isinstance(place, str) else None


def _answered(text: str, event: str | None, known: Container[str]) -> str:
    words = (text.removeprefix(_SAID), _name(text.removeprefix(_IMAGE)), event)
    return next((word for word in words if word is not None and word in known), text)


def _name(url: str) -> str:
    return url.rpartition("/")[2]
