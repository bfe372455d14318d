"""A shop: a producer, turns, and everything between, on real HTTP and a real store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from config.settings import Settings
from simulation.upstreams.call_log import Call
from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind, FaultRule
from simulation.upstreams.simulation import Delivery
from worker.bootstrap import build
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.observability import metrics
from worker.pipeline import failpoints
from worker.pipeline.producer import Producer, Receipt
from worker.pipeline.turns import DeadLetter
from worker.store import Store
from worker.store.personas.gates import owner_of
from worker.store.redis.ahead import advance
from worker.store.redis.connection import clock_ms
from worker.store.views.timeline import Moment

LEAD = Conversation("ava", "@lead")
CLEO = {"api_key": "ftc_live_cleo", "platform": "instagram"}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(40)


class Shop:
    """Everything of one process, and what the outside saw of it."""

    def __init__(self, settings: Settings, store: Store, upstreams: SimulatedUpstreams) -> None:
        self.parts = build(settings)
        self.producer = Producer(settings, store=store)
        self._store = store
        self._upstreams = upstreams

    def run(self, conversation: Conversation = LEAD) -> str:
        """One doorbell."""
        try:
            return self.parts.turns.run(*conversation)
        except DeadLetter as ended:
            return str(ended)

    def work(self, conversation: Conversation = LEAD, turns: int = 20) -> list[str]:
        """Ring until nothing is left to do, letting holds run out at once. Returns what the turns said."""
        phrases = []
        for _ in range(turns):
            phrase = self.run(conversation)
            if phrase == "nothing to do":
                break
            phrases.append(phrase.rpartition(",")[0] or phrase)
            self.let_holds_run_out()
        return phrases

    def texts(self, session_id: str = "session-1") -> list[list[str | None]]:
        """The texts that Captivate accepted, one list for each delivery."""
        return [[message.get("text") for message in d.messages] for d in self._upstreams.deliveries(session_id)]

    def delivered(self, session_id: str = "session-1") -> list[Delivery]:
        """What Captivate accepted."""
        return self._upstreams.deliveries(session_id)

    def asked(self) -> list[Call]:
        """The calls that FluidTalk saw."""
        return [call for call in self._upstreams.calls() if call.service == "fluidtalk"]

    def fates(self) -> dict[str, int]:
        """How many events have which fate; ``waiting`` and ``unexplained`` only when there are any."""
        accounts = self.parts.store.books.accounts()
        counts = [(fate, n) for one in accounts for fate, n in dataclasses.asdict(one).items() if isinstance(n, int)]
        sums: dict[str, int] = {}
        for fate, n in counts:
            sums[fate] = sums.get(fate, 0) + n
        found = {fate: n for fate, n in sums.items() if n and fate != "accepted"}
        unexplained = sum(account.unexplained for account in accounts)
        return {**found, "unexplained": unexplained} if unexplained else found

    def fail(self, kind: FaultKind = FaultKind.ANSWER, **fields: Any) -> None:
        """Let calls go wrong."""
        self._upstreams.add_fault(FaultRule(kind=kind, **fields))

    def let_holds_run_out(self) -> None:
        """What waits for a time waits no longer."""
        # One look at all keys: one for each shard and kind takes longer than the turn.
        holding = tuple(
            prefix for shard in self._store.keys.shards for prefix in (shard.conversation_prefix, shard.key("persona:"))
        )
        with self._store.redis.pipeline(transaction=False) as pipeline:
            for key in self._store.redis.scan_iter(count=1000):
                if key.startswith(holding):
                    pipeline.hdel(key, "hold_until")
            pipeline.execute()


@pytest.fixture
def make_shop(
    make_settings: Callable[..., Settings], store: Store, upstreams: SimulatedUpstreams
) -> Iterator[Callable[..., Shop]]:
    """Shops with settings of one's own."""
    built: list[Shop] = []

    def make(**overrides: Any) -> Shop:
        usual: dict[str, Any] = {
            "fluidtalk": {"base_url": upstreams.fluidtalk_url, "read_seconds": 2, "total_seconds": 5},
            "captivate": {"base_url": upstreams.captivate_url, "read_seconds": 2},
            "images": {"allow_private_addresses": True},
            "retry": {"quick_pause_seconds": 0},
        }
        settings = make_settings(**{**usual, **overrides})
        built.append(Shop(settings, store, upstreams))
        if not settings.personas.keys() <= {"ava", "bea"}:
            # The store has to know them too.
            built[-1].producer = Producer(settings)
        return built[-1]

    yield make
    for shop in built:
        shop.producer.close()
        shop.parts.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """The shop with the usual settings."""
    return make_shop()


@pytest.fixture
def make_cleo(make_shop: Callable[..., Any]) -> Callable[..., Any]:
    """A shop with ava of the Handshake API and cleo of the Characters API. Named values are settings of cleo; ``shop``:
    those of the shop."""

    def make(shop: dict[str, Any] | None = None, **own: Any) -> Any:
        return make_shop(personas={"ava": {"api_key": "ft_sk_ava"}, "cleo": {**CLEO, **own}}, **(shop or {}))

    return make


@pytest.fixture
def cleo(make_cleo: Callable[..., Any]) -> Any:
    return make_cleo()


@pytest.fixture
def counted() -> Callable[..., float]:
    """How much a metric has grown since the test began."""
    registry = metrics.worker_registry()

    def values() -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in registry.collect()
            for sample in family.samples
        }

    before = values()

    def since(name: str, *labels: str) -> float:
        key = (name, *sorted(labels))
        return values().get(key, 0) - before.get(key, 0)

    return since


@pytest.fixture
def stand_still(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Let the next turn that comes to this point stand still there while something else happens, as a process that the
    machine does not run does."""

    def at(point: str, meanwhile: Callable[[], object]) -> None:
        left = [meanwhile]

        def reached(here: str, _event_id: str | None = None) -> None:
            if here == point and left:
                left.pop()()

        monkeypatch.setattr(failpoints, "reached", reached)

    return at


@pytest.fixture
def lose_lease_now(store: Store) -> Callable[..., None]:
    """The lease of a conversation is free at once, whoever has it."""

    def lose(conversation: Conversation = LEAD) -> None:
        store.redis.hdel(store.keys.of(conversation).conversation(conversation), "owner", "lease_until")

    return lose


@pytest.fixture
def lead() -> Conversation:
    """The conversation that most tests are about."""
    return LEAD


@pytest.fixture
def try_gate(store: Store) -> Callable[[str], Conversation | None]:
    """The next try of a closed gate is due: the conversation that may make it."""

    def choose(gate: str, owner: str = "ava") -> Conversation | None:
        return store.gates.let_one_try(owner_of(gate, owner), gate, 60)

    return choose


@pytest.fixture
def say(channel: dict[str, Any]) -> Callable[..., Any]:
    """An event of the lead's conversation."""

    def make(message: str = "hi", kind: type = InboundChat, **fields: Any) -> Any:
        content = {"message": message} if kind is InboundChat else {}
        return kind(**{"persona": "ava", "target": "@lead", "channel": channel, **content, **fields})

    return make


@pytest.fixture
def presigned(upstreams: SimulatedUpstreams) -> str:
    """A link as it comes with a Captivate payload."""
    hosted = httpx.post(
        f"{upstreams.fluidtalk_url}/api/v1/bot/upload",
        headers={"X-API-Key": "ft_sk_bea"},
        files={"file": ("lead.png", PICTURE)},
    ).json()["url"]
    return f"{hosted}?X-Amz-Signature=secret"


def channel_of(zone: str | None = None, name: str = "c") -> dict[str, Any]:
    """The channel context of a lead: zone, name of the channel."""
    custom = {"timezone": zone} if zone else {}
    return {
        "session_id": f"session-{zone}",
        "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": name}, "custom": custom}}},
    }


class World:
    """One process with everything, and a clock that the test moves."""

    lead = LEAD
    channel = staticmethod(channel_of)

    def __init__(self, parts: Any, upstreams: SimulatedUpstreams) -> None:
        self.parts, self.store, self.upstreams = parts, parts.store, upstreams
        self.producer = Producer(parts.settings, store=parts.store)

    def now(self) -> datetime:
        """By the store's clock."""
        return datetime.fromtimestamp(clock_ms(self.store.redis) / 1000, UTC)

    def go_to(self, moment: datetime) -> None:
        """Set the clock forward."""
        advance(self.store.redis, (moment - self.now()).total_seconds())

    def work(self) -> None:
        """Let beat and workers do what is due now."""
        for _ in range(20):
            self.parts.upkeep.plan_follow_ups()
            due = self.store.agenda.claim_due()
            for conversation, _ in due:
                self.parts.turns.run(*conversation)
            if not due:
                return

    def live(self, duration: timedelta) -> None:
        """Let so much time pass, from one moment at which something is due to the next; beat is half a second late."""
        end = self.now() + duration
        while (moment := self.next_due()) and moment < end:
            self.go_to(max(moment, self.now()) + timedelta(seconds=0.5))
            self.work()
        self.go_to(end)
        self.work()

    def next_due(self) -> datetime | None:
        """When something is due next."""
        due = [
            score
            for shard in self.store.keys.shards
            for key in (shard.agenda, shard.follow_ups)
            for _, score in self.store.redis.zrange(key, 0, 0, withscores=True)
        ]
        return datetime.fromtimestamp(min(due) / 1000, UTC) if due else None

    def say(
        self, text: str = "hi", zone: str | None = None, target: str = "@lead", name: str = "c", **fields: Any
    ) -> Receipt:
        """The lead writes, and a turn runs. ``name``: of the channel."""
        channel = channel_of(zone, name)
        receipt = self.producer.enqueue(
            InboundChat(**{"persona": "ava", "target": target, "message": text, "channel": channel, **fields})
        )
        self.parts.turns.run("ava", target)
        return receipt

    def asked(self, target: str = "@lead") -> list[datetime]:
        """When the persona was asked for a follow-up of this lead: by the store's clock."""
        moments: list[Moment] = self.store.timeline.of(Conversation("ava", target))
        times: list[datetime] = []
        kind = ""
        for moment in moments:
            if moment.word == "accepted":
                kind = moment.details[0]
            if moment.word == "asking" and kind == "follow_up":
                times.append(moment.at)
            if moment.word == "held" and kind == "follow_up":
                times.pop()
        return times

    def words(self, word: str, target: str = "@lead") -> list[Any]:
        """The last detail behind each such word of the timeline."""
        moments = self.store.timeline.of(Conversation("ava", target))
        return [moment.details[-1] for moment in moments if moment.word == word]

    def follow_ups_seen(self) -> list[Call]:
        """The calls for follow-ups that FluidTalk saw."""
        return [call for call in self.upstreams.calls() if call.fields.get("action") == "FOLLOW_UP"]


@pytest.fixture
def make_world(
    make_settings: Callable[..., Settings], make_store: Callable[..., Store], upstreams: SimulatedUpstreams
) -> Iterator[Callable[..., World]]:
    """Worlds with a cadence; every part can be replaced."""
    make_store(ahead=True)
    built: list[World] = []

    def make(**overrides: Any) -> World:
        usual: dict[str, Any] = {
            "fluidtalk": {"base_url": upstreams.fluidtalk_url, "read_seconds": 2, "total_seconds": 5},
            "captivate": {"base_url": upstreams.captivate_url, "read_seconds": 2},
            "follow_ups": {"delays_seconds": (4 * 3600.0, 86_400.0, 3 * 86_400.0)},
        }
        built.append(World(build(make_settings(**{**usual, **overrides}), ahead=True), upstreams))
        return built[-1]

    yield make
    for world in built:
        world.parts.close()
