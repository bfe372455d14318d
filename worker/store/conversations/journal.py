"""One record per event: what it is, every attempt, its stored reply, its fate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from worker.domain.retry import Failure
from worker.store.encryption import Field


class Entry(NamedTuple):
    """An event as its turn finds it. Times are milliseconds of the store's clock.

    ``asks`` and ``sends`` count attempts, the present one included. ``..._unknowns``: those that ended without an
    answer. ``..._vanished``: those whose holder crashed or lost its lease on the way; ``..._handed_over``: of these,
    those whose process was told to end. ``bubbles_sent``: bubbles of a paced reply that were surely sent; ``sends`` and
    its kin are then those of the next one. ``image_url``: where the event's attachment is hosted. ``reply``: what was
    stored to be delivered, as JSON text. ``reply_id``: names this reply and no other one of an event with this id; ''
    for one that a release without such ids stored. ``replied_at``: when it was stored, or 0.
    ``failures``: failed attempts of the present step (the ask, or the send of one bubble) that count against the event,
    ``failures_ms``: the pauses that they caused; ``failed``: the last one, as long as it is not judged. ``step``: where
    the event is; ``begun``: nothing has been asked yet. ``said``: that the lead opts out, ``stop`` or ``again`` (it
    changed nothing). ``killed_alone``: processes that died of it while they had nothing else in hand.
    """

    event_id: str
    kind: str
    payload: str
    accepted_at: int
    asks: int
    ask_unknowns: int
    asks_vanished: int
    asks_handed_over: int
    sends: int
    send_unknowns: int
    sends_vanished: int
    sends_handed_over: int
    bubbles_sent: int
    failures: int
    failures_ms: int
    failed: Failure | None
    step: str
    image_url: str | None
    reply: str | None
    reply_id: str = ""
    replied_at: int = 0
    said: str = ""
    killed_alone: int = 0


def entry(event_id: str, flat: Sequence[str], read: Callable[[Field, str], str]) -> Entry:
    """An entry from the flat field-value list that a script returns. ``read``: decrypts a field of content."""
    fields = pairs(flat)

    def number(name: str) -> int:
        return int(fields.get(name, "0"))

    def content(name: Field) -> str | None:
        return read(name, fields[name]) if name in fields else None

    return Entry(
        event_id=event_id,
        kind=fields["kind"],
        payload=read("payload", fields["payload"]),
        accepted_at=number("accepted_at"),
        asks=number("asks"),
        ask_unknowns=number("ask_unknowns"),
        asks_vanished=number("asks_vanished"),
        asks_handed_over=number("asks_handed_over"),
        sends=number("sends"),
        send_unknowns=number("send_unknowns"),
        sends_vanished=number("sends_vanished"),
        sends_handed_over=number("sends_handed_over"),
        bubbles_sent=number("bubbles_sent"),
        failures=number("failures"),
        failures_ms=number("failures_ms"),
        failed=Failure.of_text(fields["failed"]) if "failed" in fields else None,
        step=fields.get("step", ""),
        image_url=content("image_url"),
        reply=content("reply"),
        reply_id=_reply_id(fields),
        replied_at=number("replied_at"),
        said=fields.get("said", ""),
        killed_alone=int(fields.get("killed_alone", "0").partition(" ")[0]),
    )


def bare_entry(event_id: str, flat: Sequence[str]) -> Entry:
    """An entry of which nothing is known but its id, its kind and whether it has a reply."""
    fields = pairs(flat)
    known = ["kind", fields.get("kind", "unknown"), "payload", "{}"]
    known += [word for name in ("reply", "said") if name in fields for word in (name, fields[name] * (name == "said"))]
    return entry(event_id, known, lambda _, text: text)


def _reply_id(fields: Mapping[str, str]) -> str:
    # A release without ids may have stored another reply since: the id tells which one it belongs to.
    replied_at, _, name = fields.get("reply_id", "").partition(" ")
    return name if replied_at == fields.get("replied_at") else ""


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """A dict from a flat field-value list."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def lead_wrote_since(event: Mapping[str, str], conversation: Mapping[str, str]) -> bool:
    """Whether the lead wrote after an event was accepted, from the stored fields of both.

    By the order of acceptance, as ``lead_wrote_since`` of ``lib/prelude.lua``; what 0.1.0 accepted has no number in it,
    then the times decide.
    """
    last_inbound = conversation.get("last_inbound", "0")
    lead_seq, _, at = conversation.get("inbound_seq", "").partition(" ")
    if "seq" in event and at == last_inbound:
        return int(lead_seq) > int(event["seq"])
    return int(last_inbound) >= int(event.get("accepted_at", "0"))
