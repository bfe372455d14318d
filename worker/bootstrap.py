"""Builds the parts of a process from its settings; the only module that knows all rooms. Tests use it too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from config import settings as configuration
from config.sections import Way
from config.settings import Settings
from worker.adapters.channel import CaptivateChannel
from worker.adapters.characters import CharactersPersona
from worker.adapters.drift import Drift
from worker.adapters.handshake import Handshake
from worker.adapters.images import ImageFetcher
from worker.adapters.persona import AsksPersona
from worker.adapters.tally import Tally
from worker.clients.captivate import CaptivateClient
from worker.clients.fluidtalk import Characters, FluidTalk
from worker.clients.http.connections import Connections, Timeouts
from worker.domain.handles import Handles
from worker.observability import tracing
from worker.observability.http_calls import CountedConnections
from worker.pipeline import failpoints
from worker.pipeline.ask import Asking
from worker.pipeline.celery_intake import Intake
from worker.pipeline.consent import Consents
from worker.pipeline.due import Upkeep
from worker.pipeline.producer import Producer
from worker.pipeline.pulling import Pulling
from worker.pipeline.reach import Reach
from worker.pipeline.trials import Trials
from worker.pipeline.turn import Turn
from worker.pipeline.turns import Turns
from worker.store import Store
from worker.store.conversations.leases import Lease, LeaseKeeper


@dataclass(frozen=True, slots=True)
class Parts:
    """What the tasks of one process share."""

    settings: Settings
    store: Store
    turns: Turns
    intake: Intake
    upkeep: Upkeep
    pulling: Pulling
    closers: tuple[Callable[[], None], ...]

    def close(self) -> None:
        """Stop the background thread and close all connections."""
        for closer in self.closers:
            closer()


def build(settings: Settings, *, ahead: bool = False, alone: bool = False) -> Parts:
    """All parts for these settings. Opens no connection; starts no thread before the first turn.

    ``alone``: for a child process that runs one turn. Its parent has begun the turn, and the parent's signs keep it.
    ``ahead``: the store's clock runs ahead (``worker/store/redis/ahead.py``); only tests and simulations ask for it.
    """
    store = Store(settings, connections=min(settings.worker.concurrency, 64) + 4, ahead=ahead)
    # So that no turn waits for a module.
    store.complete()
    reach = Reach(settings.gates, settings.personas, settings.captivate.name, store)
    drift, trigger_types = Tally(store.drift.add), Tally(store.trigger_types.add)

    def tell() -> None:
        drift.write()
        trigger_types.write()

    def beside(leases: list[Lease]) -> None:
        store.places.renew((lease.grant.conversation.persona, lease.grant.token) for lease in leases if lease.has_place)
        reach.write()
        tell()

    lease, process = settings.lease, store.process_leases()
    if alone:
        # It gives no signs of its own: what it believes of its lease is no older than a sign of its parent may be.
        keeper = LeaseKeeper(store.steps.renew, lease.process_ttl_seconds, lease.process_renew_seconds, beside)
    else:
        keeper = LeaseKeeper(store.steps.renew, lease.ttl_seconds, lease.renewal_seconds, beside, process)
    connections = _connections("fluidtalk", settings.fluidtalk)
    captivate, images = _captivate(settings), _images(settings)
    personas = _personas(settings, connections, Drift(drift), trigger_types)
    consents = Consents(settings.consent_rules, store)
    asking = Asking(settings.retry, store, personas, images, reach, consents)
    trials = None if alone else Trials(settings, ahead=ahead)
    turn = Turn(settings, store, asking, CaptivateChannel(captivate), reach, consents, trials)
    turns = Turns(settings, store, process, keeper, turn)
    intake = Intake(Producer(settings, store=store), store, settings.worker.store_wait_seconds)
    closers = (keeper.stop, process.stop, connections.close, captivate.close, images.close, store.close)
    characters = {name: each for name, each in personas.items() if isinstance(each, CharactersPersona)}
    pulling = Pulling(store, settings, characters, beside=tell)
    return Parts(settings, store, turns, intake, Upkeep(store, settings), pulling, closers)


@cache
def handles() -> Handles:
    """How this process shows leads in tasks, for Flower and remote control."""
    return Handles(configuration.load(role="scheduler").privacy)


_lock = threading.Lock()
_parts: Parts | None = None


def parts() -> Parts:
    """The parts of this process, built with the first call: in a worker that forks, after the fork."""
    global _parts
    with _lock:
        if _parts is None:
            settings = configuration.load()
            failpoints.arm(settings.worker.crash_at)
            tracing.begin(settings.tracing)
            _parts = build(settings)
        return _parts


def stop() -> None:
    """The process is about to stop: no further turn begins in it."""
    if _parts is not None:
        _parts.turns.stop()


def hand_over() -> None:
    """The process ends now: other workers continue its turns."""
    if _parts is not None:
        _parts.turns.hand_over()


def _personas(settings: Settings, connections: Connections, drift: Drift, types: Tally) -> dict[str, AsksPersona]:
    return {name: _persona(settings, name, connections, drift, types) for name in settings.personas}


def _persona(settings: Settings, name: str, connections: Connections, drift: Drift, types: Tally) -> AsksPersona:
    times, persona, key = settings.fluidtalk, settings.personas[name], settings.api_key_of(name)
    if persona.speaks == "handshake":
        client = FluidTalk(
            key,
            times.base_url,
            persona.own_username,
            times.read_seconds,
            connect_timeout=times.connect_seconds,
            total_timeout=times.total_seconds,
            connections=connections,
        )
        return Handshake(client)
    characters = Characters(
        key,
        base_url=times.base_url,
        mode=persona.mode,
        timeout=times.read_seconds,
        connect_timeout=times.connect_seconds,
        total_timeout=times.total_seconds,
        connections=connections,
        watch=drift.watch,
    )
    return CharactersPersona(
        characters,
        name,
        persona.platform or "",
        persona.own_username,
        separate_accounts=bool(persona.separate_accounts),
        told_of=lambda event_type: types.count(f"{name} {event_type}"),
    )


def _captivate(settings: Settings) -> CaptivateClient:
    target = settings.captivate
    return CaptivateClient(
        environment=None if target.base_url else target.environment,
        base_url=target.base_url,
        timeout=target.read_seconds,
        connect_timeout=target.connect_seconds,
        total_timeout=target.total_seconds,
        headers={name: value.get_secret_value() for name, value in target.headers.items()},
        connections=_connections("captivate", target),
    )


def _images(settings: Settings) -> ImageFetcher:
    times = settings.images
    return ImageFetcher(
        allow_private_addresses=times.allow_private_addresses,
        max_bytes=settings.limits.image_bytes,
        timeouts=Timeouts(times.connect_seconds, times.read_seconds, times.total_seconds),
        ca_path=times.ca_path,
        proxy=times.proxy_url,
    )


def _connections(upstream: str, way: Way) -> CountedConnections:
    return CountedConnections(upstream, ca_path=way.ca_path, proxy=way.proxy_url)
