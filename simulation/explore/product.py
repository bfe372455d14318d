"""The product that is explored: its store on a server of its own, its turns, and the clock."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from config.settings import Settings, load
from simulation.explore.client import Command, Copy, ExploredRedis
from simulation.explore.look import Look
from simulation.explore.mutation import Mutation
from simulation.explore.replay import Came, Channel, Item, LeaseOfTurn, Persona, Replay, Still, Suspended
from simulation.servers.embedded_redis import EmbeddedRedis
from worker.adapters.images import FetchedImage
from worker.domain.conversation import Conversation
from worker.domain.failures import ImageUnavailable
from worker.pipeline.ask import Asking
from worker.pipeline.consent import Consents
from worker.pipeline.reach import Reach
from worker.pipeline.turn import Turn
from worker.store import Store
from worker.store.conversations.leases import LeaseKeeper
from worker.store.conversations.turn_steps import Grant
from worker.store.personas.gates import Owner

# Any moment will do; all runs begin at this one.
BEGINNING = 1_700_000_000_000

PERSONAS = ("ava", "bea")


class ExploredServer:
    """A server for explorations: nothing of it is kept, and it listens on a socket of the file system."""

    def __init__(self) -> None:
        self._server = EmbeddedRedis(options={"appendonly": "no", "unixsocket": "redis.sock"})

    @property
    def url(self) -> str:
        """Where it is."""
        return f"unix://{self._server.directory}/redis.sock"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()


class _Reach(Reach):
    # A process remembers its calls; a turn that runs again would remember them twice. So it tells the others at once.

    def failed(self, owner: Owner, *_: Any) -> None:
        """No gate closes by failures: an exploration has few of them."""

    def succeeded(self, owner: Owner, at: int) -> None:
        """Shared at once."""


class _NoImages:
    def fetch(self, url: str) -> FetchedImage:
        raise ImageUnavailable("no lead of an exploration sends an image")


class Product:
    """Everything of Parley that an exploration runs.

    ``settings``: replace the usual ones. ``mutation``: a fault that is put into the scripts. ``bubbles``: of each
    answer of the persona; more than one where they are sent one by one.
    """

    def __init__(self, url: str, settings: Mapping[str, Any] | None = None, mutation: Mutation | None = None) -> None:
        self.settings = settings_of(url, settings or {})
        self.store = Store(self.settings, connections=2, client=ExploredRedis)
        assert isinstance(self.store.redis, ExploredRedis)
        self.redis: ExploredRedis = self.store.redis
        self.redis.mutation = mutation
        # A process remembers it for some seconds: then a turn that runs again would not make the same calls.
        setattr(self.store.processes, "all_know_names", lambda: True)  # noqa: B010 - no part of the product asks for it
        self.bubbles = 2 if self.settings.pacing.enabled else 1
        self.ttl_ms = self.settings.lease.ttl_ms
        self._keeper = LeaseKeeper(self.store.steps.renew, self.settings.lease.ttl_seconds, 1.0)
        self._persona, self._channel = Persona(), Channel()
        names = self.settings.personas
        reach = _Reach(self.settings.gates, names, self.settings.captivate.name, self.store)
        consents = Consents(self.settings.consent_rules, self.store)
        asking = Asking(
            self.settings.retry,
            self.store,
            dict.fromkeys(names, self._persona),
            _NoImages(),
            reach,
            consents,
            Still(),
        )
        self._turn = Turn(self.settings, self.store, asking, self._channel, reach, consents, jitter=Still())

        self._read = "", Look({})
        self.begin()
        for name in names:
            # The first opener of a process asks for the ramp, later ones know that there is none.
            self.store.outreach.wait_of(Conversation(name, "@nobody"), "e0", 1.0)

    def begin(self) -> None:
        """An empty store, and the clock at its beginning."""
        self.go_back(None, BEGINNING)

    def set_clock(self, at_ms: int) -> None:
        """From now on it is this time for the store."""
        self.redis.stand_at(at_ms)
        # What is left to chance in a call that is made at once.
        random.seed(at_ms)

    def look(self, *, everything: bool = False) -> Look:
        """What is stored. ``everything``: also timelines and notices. Throws all doorbells away."""
        text = self.redis.look(everything=everything)
        # A step looks more often than anything changes.
        if text is not self._read[0]:
            self._read = text, Look.of_json(text)
        return self._read[1]

    def go_back(self, copy: Copy | None, at_ms: int) -> None:
        """All keys are as they were, or gone. ``at_ms``: the time then."""
        self.redis.go_back(copy, at_ms)
        random.seed(at_ms)

    def proceed(self, grant: Grant, begun_at: int, history: Sequence[Item], now: int) -> Came:
        """Run a turn up to its next call. ``begun_at``, ``now``: milliseconds as time passes for its process."""
        lease = LeaseOfTurn(self._keeper, grant, begun_at, self.ttl_ms)
        replay = Replay(self.redis, lease, history, now)
        self.redis.instead, self._persona.replay, self._channel.replay = replay.command, replay, replay
        told = ""
        try:
            told = self._turn.proceed(lease).phrase
        except Suspended:
            pass
        finally:
            self.redis.instead = None
        return Came(replay.request, tuple(replay.looked), lease.valid_until_ms, lease.lost, told)

    def run(self, command: Command) -> Any:
        """Run a script that a turn has asked for."""
        return self.redis.run(command)

    def close(self) -> None:
        """Close all connections."""
        self.store.close()


def settings_of(url: str, more: Mapping[str, Any]) -> Settings:
    """The usual settings of an exploration: one shard, two personas, notices on, no waiting for further messages."""
    values: dict[str, Any] = {
        "redis_url": url,
        "captivate": {"environment": "dev"},
        "personas": {name: {"api_key": f"ft_sk_{name}"} for name in PERSONAS},
        "join": {"settle_seconds": 0, "max_events": 3},
        "agenda": {"shards": 1},
        "notices": {"keep": True},
        "consent": {"confirmation": "You get no more messages."},
    }
    return load(env_file=None, **{**values, **more})
