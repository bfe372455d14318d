"""The store: inboxes, journals, leases, agenda, gates, books. The only package that knows Redis."""

from __future__ import annotations

from redis import Redis

from config.settings import Settings
from worker.domain.handles import Handles
from worker.store.conversations.agenda import Agenda
from worker.store.conversations.follow_ups import FollowUpIndex
from worker.store.conversations.inbox import Inbox
from worker.store.conversations.turn_steps import Leases
from worker.store.encryption import Content
from worker.store.heartbeats import Processes
from worker.store.keys import Keys
from worker.store.operator.dead_letters import DeadLetters
from worker.store.operator.erasure import Forgetting
from worker.store.operator.key_rotation import Rotation
from worker.store.operator.seals import Seals
from worker.store.operator.takeovers import Takeovers
from worker.store.personas.errands import Errands
from worker.store.personas.follow_up_caps import FollowUpCaps
from worker.store.personas.gates import Gates
from worker.store.personas.places import Places
from worker.store.personas.ramp import Outreach
from worker.store.personas.rate_limits import Personas
from worker.store.personas.unconfigured import Unconfigured
from worker.store.queues.accept_queue import AcceptList, AcceptQueue, BrokerQueue
from worker.store.queues.broker import Broker
from worker.store.queues.doorbells import BrokerDoorbells, Doorbells, StoreDoorbells
from worker.store.queues.parked import Parked
from worker.store.queues.queue_figures import BrokerLook, ListLook, QueueLook
from worker.store.redis.ahead import AheadRedis
from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreError, StoreFull, connect
from worker.store.redis.connection_stack import Lines
from worker.store.redis.layout import LayoutGuard
from worker.store.redis.scripts import Scripts
from worker.store.views.books import Books
from worker.store.views.figures import Measures
from worker.store.views.known_conversations import KnownConversations
from worker.store.views.timeline import Timeline

__all__ = ["Store", "StoreError", "StoreFull"]


class Store:
    """All parts of the store over one connection pool. Opens no connection before the first call.

    ``ahead``: the store's clock runs ahead (``worker/store/redis/ahead.py``); only tests and simulations ask for it.
    """

    def __init__(self, settings: Settings, connections: int = 50, *, ahead: bool = False) -> None:
        self.redis: Redis = connect(settings.store_address, settings.tls, connections, AheadRedis if ahead else Redis)
        self.keys = Keys(settings.agenda.shards)
        self.layout = LayoutGuard(self.redis, settings.agenda.shards)
        self._lines = None if isinstance(self.redis, LateCluster) else Lines(self.redis, connections)
        lease_ms = int(settings.lease.ttl_seconds * 1000)
        scripts = Scripts(
            self.redis,
            ahead,
            self._lines,
            lease_ms,
            settings.personas,
            settings.captivate.name,
            mends=settings.role == "worker",
        )
        handles = Handles(settings.privacy)
        self.broker = broker = None if settings.doorbells_in_store else Broker(settings)
        self.doorbells: Doorbells = (
            StoreDoorbells(self.redis, handles) if broker is None else BrokerDoorbells(broker, handles)
        )
        self.content = content = Content(settings.encryption)
        self.inbox = Inbox(self.redis, self.keys, scripts, self.doorbells, content, settings)
        self._broker_redis: Redis | None = None
        self.accept_queue: AcceptQueue = AcceptList(self.redis)
        self.queues: QueueLook = ListLook(self.redis, is_store=True)
        if broker is not None and settings.broker_address.over_redis:
            self._broker_redis = connect(settings.broker_address, settings.tls, connections=2)
            self.accept_queue = AcceptList(self._broker_redis)
            self.queues = ListLook(self._broker_redis, is_store=False)
        elif broker is not None:
            self.accept_queue = BrokerQueue(self.redis, broker)
            self.queues = BrokerLook(self.redis, broker)
        self.parked = Parked(self.redis, int(settings.retention.dead_seconds * 1000))
        self.processes = Processes(self.redis)
        self.leases = Leases(self.keys, scripts, self.doorbells, content, self.processes, settings)
        self.unconfigured = Unconfigured()
        self.agenda = Agenda(self.redis, self.keys, scripts, self.doorbells, settings, self.unconfigured)
        self.gates = Gates(self.redis, self.keys, scripts, int(settings.agenda.grace_seconds * 1000))
        self.personas = Personas(self.redis, self.keys, self.gates, settings)
        self.places = Places(self.redis, self.keys, scripts, self.doorbells, settings)
        self.errands = Errands(self.keys, scripts)
        self.outreach = Outreach(self.redis, self.keys, scripts, self.personas, settings)
        self.follow_ups = FollowUpIndex(self.redis, self.keys, scripts, content, settings)
        self.follow_up_caps = FollowUpCaps(self.keys, scripts, settings)
        self.timeline = Timeline(self.redis, self.keys)
        self.known = KnownConversations(self.redis, self.keys, int(settings.retention.conversation_seconds * 1000))
        self.books = Books(self.redis, self.keys, scripts)
        self.measures = Measures(self.redis, self.keys, scripts, self.queues, settings, self.processes)
        self.rotation = Rotation(self.redis, scripts, content)
        self.takeovers = Takeovers(self.redis, self.keys, scripts, self.doorbells, settings)
        self.seals = Seals(self.redis, self.keys, scripts, settings)
        self.forgetting = Forgetting(self.redis, self._broker_redis, self.keys, scripts, settings)
        self.dead_letters = DeadLetters(self.redis, self.keys, scripts, self.doorbells, content, settings)

    def ping(self) -> None:
        """Ask the store for a sign of life. Raises ``StoreError``."""
        self.redis.ping()

    def close(self) -> None:
        """Close all connections."""
        self.doorbells.close()
        if self._lines is not None:
            self._lines.close()
        for redis in (self.redis, self._broker_redis):
            if redis is not None:
                redis.close()
