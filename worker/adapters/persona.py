"""What the pipeline wants of a persona, in the domain's words: the port for FluidTalk's APIs.

``handshake`` and ``characters`` implement it. A third API is a third module beside them, and a line in ``bootstrap``.
"""

from __future__ import annotations

from typing import Protocol

from worker.domain.answer import Answer
from worker.domain.events import StoredEvent
from worker.domain.written import Written


class AsksPersona(Protocol):
    """One persona: ``worker.adapters.handshake.Handshake`` or ``worker.adapters.characters.CharactersPersona``.

    Each method but ``echo_of`` makes one call and raises ``CallFailed``. ``echo_of``: what the words of a chat are
    recognised by when they come twice, without the words; '' where no server minds.
    """

    def ask(self, group: tuple[StoredEvent, ...], image_url: str | None) -> Answer: ...
    def host(self, target: str, image: bytes, filename: str) -> str: ...
    def try_out(self) -> None: ...
    def echo_of(self, group: tuple[StoredEvent, ...]) -> str: ...


class WritesFollowUps(Protocol):
    """``worker.adapters.characters.CharactersPersona``. Each method makes one call and raises ``CallFailed``."""

    def written(self, platform: str, account: str | None, limit: int) -> list[Written]: ...
    def acknowledge(self, ref: str) -> None: ...
    def sweep(self, platform: str, idle_hours: float | None, limit: int) -> None: ...
