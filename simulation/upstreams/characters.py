"""The simulated characters: what they remember of each lead, what they say, which follow-ups they have written.

Every text quotes what it answers, so that a test can tell from the answer alone which words reached the character.
Source: characters.md 2, 3 and 6. Where a behaviour is unknown, the double does what is harder for a client.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from simulation.upstreams.personas import Refused

_SESSIONS = uuid.UUID("0a4f3f2e-3c0c-4d8b-8a55-5d3b1c8f9e02")

Bubbles = list[dict[str, Any]]


@dataclass(slots=True)
class Lead:
    """What a character knows of one lead. ``turns``: how often it has spoken to it."""

    session_id: str
    accounts: set[str] = field(default_factory=set)
    turns: int = 0
    last_text: str | None = None
    owned_elsewhere: bool = False
    dedup: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spoken:
    """``data`` of an answer, and the number of the turn if the character said something."""

    data: dict[str, Any]
    turn: int | None = None
    acted: bool = True


@dataclass(slots=True)
class Pending:
    """A follow-up that waits to be delivered."""

    id: str
    platform: str
    account: str
    handle: str
    message: str


@dataclass(slots=True)
class Character:
    """One character. ``turns_left``: how many turns its wallet can pay for; None means any number.

    ``fireable``: the ids that a trigger can fire; None means any. ``guards``: whether a text that comes twice in a row
    is answered by silence.
    """

    name: str
    turns_left: int | None = None
    fireable: list[str] | None = None
    guards: bool = True
    leads: dict[tuple[str, str], Lead] = field(default_factory=dict)
    money: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def lead(self, platform: str, handle: str, account: str = "") -> Lead:
        """What is known of a lead, made on first use. ``account``: of the character, to which the lead writes."""
        known = self.leads.get((platform, handle))
        if known is None:
            session = uuid.uuid5(_SESSIONS, f"{self.name}\n{platform}\n{handle}")
            known = self.leads[platform, handle] = Lead(session_id=str(session))
        known.accounts.add(account)
        return known

    def chat(self, lead: Lead, message: str, image_url: str, photo_url: str, *, guarded: bool) -> Spoken:
        """The lead wrote: a bubble for each line, one for the image, a photo in second place for "photo please".

        The same text again, with no other text between, is answered by silence. Raises ``Refused`` with 402.
        """
        if lead.owned_elsewhere:
            return Spoken(_said(lead, [], ignored=True, ignore_reason="lead_claimed_by_other_account"), acted=False)
        if guarded and self.guards and message and message == lead.last_text:
            return Spoken(_said(lead, [], silent="duplicate_message"), acted=False)
        self._pay()
        lead.last_text = message
        lead.turns += 1
        lines = [f"You said: {line}" for line in message.splitlines() if line.strip()]
        lines += [f"You sent an image: {image_url}"] if image_url else []
        bubbles = _timed(lines or [f"You said: {message}"])
        if "photo please" in message.lower():
            bubbles.insert(1, {"image_url": photo_url, "delay_ms": 20})
        vision = {"seen": True, "description": "a picture", "kind": "photo"} if image_url else None
        return Spoken(_said(lead, bubbles, **({"vision": vision} if vision else {})), lead.turns)

    def trigger(self, lead: Lead, handle: str, event_id: str, external_event_id: str, context: str) -> Spoken:
        """Something happened, or ``outreach``. A repeat of the same ``external_event_id`` says nothing again.

        Raises ``Refused`` with 402.
        """
        if external_event_id in lead.dedup:
            return Spoken(_said(lead, [], deduped=True), acted=False)
        if lead.owned_elsewhere:
            return Spoken(_said(lead, [], ignored=True, ignore_reason="lead_claimed_by_other_account"), acted=False)
        if event_id != "outreach" and self.fireable is not None and event_id not in self.fireable:
            return Spoken(_said(lead, [], fireable_event_ids=["outreach", *self.fireable]), acted=False)
        if event_id == "outreach" and lead.turns:
            return Spoken(_said(lead, [], ignored=True, ignore_reason="live_chat"), acted=False)
        self._pay()
        lead.turns += 1
        lead.dedup[external_event_id] = lead.turns
        opening = f"Hello {handle}, this is {self.name}."
        text = opening if event_id == "outreach" else f"You did: {event_id} {context}".rstrip()
        return Spoken(_said(lead, _timed([text])), lead.turns)

    def event(self, platform: str, handle: str, external_event_id: str, told: dict[str, Any]) -> Spoken:
        """Money moved: applied once."""
        key = (platform, handle, external_event_id)
        known = key in self.money
        self.money.setdefault(key, told)
        return Spoken({"applied": not known, "deduped": known}, acted=not known)

    def sweep(self, platform: str) -> Spoken:
        """Write a follow-up to each lead of a platform that has had contact and has none waiting."""
        waiting = {(each.platform, each.handle) for each in self.pending}
        quiet = [lead for lead in self.leads if lead[0] == platform and lead not in waiting and self.leads[lead].turns]
        for lead in quiet:
            text = f"Are you still there, {lead[1]}? ||| Just checking."
            for account in sorted(self.leads[lead].accounts):
                self.pending.append(Pending(f"fu_{next(self._numbers)}", platform, account, lead[1], text))
        return Spoken({"queued": len(quiet)}, acted=bool(quiet))

    def follow_ups(self, platform: str, account: str, limit: int) -> list[dict[str, Any]]:
        """Those of a platform that wait, the oldest first. ``account``: only those of this one, if it is given."""
        waiting = [each for each in self.pending if each.platform == platform and account in ("", each.account)]
        return [{"id": each.id, "handle": each.handle, "message": each.message} for each in waiting[:limit]]

    def acknowledge(self, followup_id: str) -> Spoken:
        """It was delivered. Raises ``Refused`` with 404 for one that never was."""
        known = [each for each in self.pending if each.id == followup_id]
        if not known and followup_id not in self.acknowledged:
            raise Refused(404, "No such follow-up")
        self.pending = [each for each in self.pending if each.id != followup_id]
        self.acknowledged.add(followup_id)
        return Spoken({"status": "DELIVERED"}, acted=bool(known))

    def self_test(self, platform: str) -> dict[str, Any]:
        """All is wired, unless the wallet is empty."""
        paid = self.turns_left is None or self.turns_left > 0
        return {
            "ok": paid,
            "checks": [{"name": "platform_bound", "ok": True}, {"name": "wallet", "ok": paid}],
            "bound_platforms": [platform] if platform else sorted({each for each, _ in self.leads}),
            **({} if self.fireable is None else {"fireable_event_ids": ["outreach", *self.fireable]}),
        }

    def _pay(self) -> None:
        if self.turns_left is None:
            return
        if self.turns_left == 0:
            raise Refused(402, "The wallet cannot cover this turn")
        self.turns_left -= 1


def _timed(texts: list[str]) -> Bubbles:
    return [{"text": text, "delay_ms": 10 * number} for number, text in enumerate(texts)]


def _said(lead: Lead, bubbles: Bubbles, **more: Any) -> dict[str, Any]:
    return {"session_id": lead.session_id, "bubbles": bubbles, "ignored": False, **more}
