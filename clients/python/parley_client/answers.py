"""What the ingress answers. Members of other names, which a newer ingress may have, are left out."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Receipt(_Answer):
    """The event is in the store.

    ``receipt``: an opaque id of it, for ``Client.status``. ``status``: ``accepted``, ``duplicate`` (it was in before)
    or ``scheduled`` (a follow-up with ``not_before``). ``position``: its place in the conversation's inbox, 1 = next,
    0 = it does not wait there.
    """

    receipt: str
    event_id: str
    status: str
    position: int


class Attempts(_Answer):
    """Attempts so far: calls of the persona, and deliveries."""

    asked: int = 0
    sent: int = 0


class State(_Answer):
    """What became of an event.

    ``status``: ``waiting``, ``held``, ``scheduled``, or its fate: ``answered``, ``joined``, ``ignored``, ``sealed``,
    ``skipped``, ``dead``. ``cause``: why, as a code. Times are those of the store.
    """

    receipt: str
    event_id: str
    kind: str
    status: str
    cause: str | None = None
    position: int = 0
    accepted_at: AwareDatetime | None = None
    held_until: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    attempts: Attempts = Attempts()

    @property
    def ended(self) -> bool:
        """Whether the event has its fate."""
        return self.ended_at is not None


class Notice(_Answer):
    """What became of an event, a conversation or a persona. Never content.

    ``type``: such as ``parley.event.answered`` or ``parley.conversation.sealed``. ``persona``, ``target``: about whom,
    as the privacy settings show leads. ``sequence``: grows by one for each notice of a conversation. The other members
    are those of a notice of an event, else None.
    """

    id: str
    type: str
    time: AwareDatetime | None = None
    persona: str | None = None
    target: str | None = None
    sequence: int | None = None
    event_id: str | None = None
    kind: str | None = None
    fate: str | None = None
    cause: str | None = None
    attempts: Attempts | None = None
    accepted_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    joined: str | None = None


class Page(_Answer):
    """Notices in their order, and the cursor behind the last of them. ``dropped``: how many were gone before them."""

    notices: tuple[Notice, ...]
    cursor: str
    dropped: int = 0
