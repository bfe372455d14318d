"""A whole process of Parley between upstreams that behave as badly as a test wants."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.settings import Settings
from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind, FaultRule
from tests.socket_server import Server
from worker.bootstrap import build
from worker.domain.conversation import Conversation
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer
from worker.pipeline.turns import DeadLetter
from worker.store import Store

Respond = Callable[[socket.socket], None]


class RawServer(Server):
    """Reads one request of each connection and hands the connection over: what goes back need not be HTTP."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        super().__init__(self._one)

    @property
    def hits(self) -> int:
        """How many connections there were."""
        return len(self.accepted)

    def _one(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        if self.read_request(connection):
            self.respond(connection)


class Process:
    """What one worker process does, doorbell by doorbell, and the books of all that it did."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.parts = build(settings)
        self.producer = Producer(settings, store=store)
        self.store = store

    def ring(self, conversation: Conversation) -> str:
        """One doorbell."""
        try:
            return self.parts.turns.run(*conversation)
        except DeadLetter as ended:
            return str(ended)

    def work(self, conversation: Conversation, turns: int = 6) -> list[str]:
        """Ring until nothing is left to do, letting holds and gates run out at once. Returns what the turns said."""
        phrases = []
        for _ in range(turns):
            phrase = self.ring(conversation)
            if phrase == "nothing to do":
                break
            phrases.append(phrase)
            self._let_waits_run_out(conversation)
        return phrases

    def fates(self) -> dict[str, int]:
        """How many events have which fate. Fails when the books do not balance."""
        accounts = self.store.books.accounts()
        assert [account for account in accounts if account.unexplained] == []
        words = ("answered", "joined", "ignored", "sealed", "skipped", "dead", "waiting")
        totals = {word: sum(getattr(account, word) for account in accounts) for word in words}
        return {word: total for word, total in totals.items() if total}

    def _let_waits_run_out(self, conversation: Conversation) -> None:
        shard = self.store.keys.of(conversation)
        self.store.redis.hdel(shard.conversation(conversation), "hold_until")
        gates = ("quarantined", "hold_until", "circuit_until", "circuit_interval", "credits_until", "credits_interval")
        self.store.redis.hdel(shard.persona(conversation.persona), *gates)
        for environment in ("custom", "dev"):
            self.store.redis.hdel(shard.channel(environment), "channel_until")


@pytest.fixture
def raw_server() -> Iterator[Callable[[Respond], RawServer]]:
    """Servers that answer with whatever a function writes."""
    servers: list[RawServer] = []

    def make(respond: Respond) -> RawServer:
        servers.append(RawServer(respond))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def make_process(
    make_settings: Callable[..., Settings], store: Store, upstreams: SimulatedUpstreams
) -> Iterator[Callable[..., Process]]:
    """Processes with settings of one's own; the upstreams are the doubles unless replaced."""
    built: list[Process] = []

    def make(**overrides: Any) -> Process:
        usual: dict[str, Any] = {
            "fluidtalk": {"base_url": upstreams.fluidtalk_url, "read_seconds": 1, "total_seconds": 2},
            "captivate": {"base_url": upstreams.captivate_url, "read_seconds": 1, "total_seconds": 2},
            "images": {"allow_private_addresses": True, "read_seconds": 1, "total_seconds": 2},
            "retry": {"quick_pause_seconds": 0, "attempts": 3},
        }
        merged = {**usual, **{name: {**usual.get(name, {}), **value} for name, value in overrides.items()}}
        # The connect time counts, too: no step may be longer than the whole.
        for name in ("fluidtalk", "captivate", "images"):
            merged[name].setdefault("connect_seconds", 1)
        built.append(Process(make_settings(**merged), store))
        return built[-1]

    yield make
    for process in built:
        process.parts.close()


@pytest.fixture
def process(make_process: Callable[..., Process]) -> Process:
    """The process with the usual settings."""
    return make_process()


@pytest.fixture
def answer_with(upstreams: SimulatedUpstreams) -> Callable[..., None]:
    """Let every call of one service be answered with this, and with nothing that was said before."""

    def set_answer(service: Any, status: int, body: Any, headers: dict[str, str] | None = None, **which: Any) -> None:
        rule = FaultRule(
            kind=FaultKind.ANSWER, service=service, status=status, body=body, headers=headers or {}, **which
        )
        upstreams.clear_faults()
        upstreams.add_fault(rule)

    return set_answer


@pytest.fixture
def intake(make_settings: Callable[..., Settings], store: Store) -> Intake:
    """The door for producers that only speak Celery."""
    return Intake(Producer(make_settings(), store=store), store, wait_seconds=1)
