"""The command, run in this process against a real store."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.store import Store
from worker.store.conversations.turn_steps import Grant


@pytest.fixture
def command_settings(monkeypatch: pytest.MonkeyPatch, redis_server: EmbeddedRedis, tmp_path: Any) -> None:
    """The settings of ``make_settings`` as an operator gives them: in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_REDIS_URL", redis_server.url)
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    for name in ("AVA", "BEA"):
        monkeypatch.setenv(f"PARLEY_PERSONAS__{name}__API_KEY", f"ft_sk_{name.lower()}")


@pytest.fixture
def parley(run_command: Callable[..., Any], command_settings: None, store: Store) -> Callable[..., Any]:
    """Run the command with these words, on an empty store."""
    return run_command


@pytest.fixture
def chat(channel: dict[str, Any]) -> Callable[..., InboundChat]:
    """A message of the lead."""

    def make(event_id: str, message: str = "my secret words", **fields: Any) -> InboundChat:
        common = {"persona": "ava", "target": "@lead", "channel": channel}
        return InboundChat(**{**common, "event_id": event_id, "message": message, **fields})

    return make


@pytest.fixture
def turn(store: Store) -> Callable[..., None]:
    """Run a turn of a conversation that ends as told."""

    def run(fate: str = "answered", reason: str = "", target: str = "@lead", reply: str = "", **more: Any) -> None:
        grant = store.steps.begin(Conversation("ava", target), uuid.uuid4().hex)
        assert isinstance(grant, Grant), grant
        if reply:
            store.steps.record(grant, reply)
        store.steps.settle(grant, fate, reason, **more)  # type: ignore[arg-type]

    return run


@pytest.fixture
def die(store: Store, chat: Callable[..., InboundChat], turn: Callable[..., None]) -> Callable[..., None]:
    """Accept a message that becomes a dead letter."""

    def run(
        event_id: str, cause: str = "refused by the persona (status 422)", target: str = "@lead", **more: Any
    ) -> None:
        store.inbox.accept(chat(event_id, target=target))
        turn("dead", cause, target, **more)

    return run
