"""What every command stands on: the settings and the store."""

from __future__ import annotations

import gc
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.settings import Settings, load
from worker.cli.ending import Usage
from worker.domain.conversation import Conversation
from worker.observability import logs
from worker.store import Store, StoreError

if TYPE_CHECKING:
    from worker.pipeline.operator_acts import OperatorActs


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command."""

    settings: Settings
    store: Store

    def acts(self, by: str | None = None) -> OperatorActs:
        """What this operator does. ``by``: a name; None = the user who runs the command."""
        from worker.pipeline.operator_acts import OperatorActs

        return OperatorActs(self.store, by or operator())

    @property
    def channel(self) -> str:
        """The name of the channel, by these settings or as workers told it. May raise ``redis.RedisError``."""
        return self.store.channel

    def need_persona(self, persona: str) -> None:
        """Raises ``Usage`` unless the persona is configured."""
        if persona not in self.settings.personas:
            known = ", ".join(sorted(self.settings.personas))
            raise Usage(f"There is no persona {persona!r} in these settings. Known: {known}")


@contextmanager
def session(*, any_layout: bool = False, reads: bool = False) -> Iterator[Session]:
    """Settings from the environment and ``.env`` as everywhere, and a store; closed at the end.

    Raises ``SettingsError`` when the store was made with another number of shards, unless ``any_layout``: then the
    caller says so by itself. ``reads``: for a command that only looks, which needs no API key and no address.
    """
    settings = load(role="producer" if reads else "worker")
    if not gc.isenabled():
        # All that a command needs is loaded now; a long one makes garbage.
        gc.freeze()
        gc.enable()
    logs.configure(settings.worker, settings.privacy)
    store = Store(settings, connections=2)
    try:
        if not any_layout:
            # When the store cannot be reached the command says so, each in its own words.
            with suppress(StoreError):
                store.layout.ensure_as_written()
        yield Session(settings, store)
    finally:
        store.close()


def operator() -> str:
    """Who runs the command: the name of the system's user."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def conversation_of(persona: str, target: str) -> Conversation:
    """The conversation that two arguments name. Raises ``Usage`` for a persona that no name could be."""
    if not persona or ":" in persona:
        raise Usage(f"{persona!r} is no name of a persona. Give persona and target as two words: ava @john_doe")
    return Conversation(persona, target)
