"""The store: inboxes, journals, leases, agenda, gates, books. The only package that knows Redis."""

from __future__ import annotations

from redis import Redis

from config.settings import Settings
from worker.doorbells import BrokerDoorbells, Doorbells, StoreDoorbells
from worker.store.accept_queue import AcceptQueue
from worker.store.agenda import Agenda
from worker.store.books import Books
from worker.store.connection import StoreError, connect
from worker.store.dead_letters import DeadLetters
from worker.store.follow_ups import FollowUpIndex
from worker.store.inbox import Inbox
from worker.store.keys import Keys
from worker.store.leases import Leases
from worker.store.personas import Personas
from worker.store.scripts import Scripts
from worker.store.timeline import Timeline

__all__ = ["Store", "StoreError"]


class Store:
    """All parts of the store over one connection pool. Opens no connection before the first call."""

    def __init__(self, settings: Settings, connections: int = 50) -> None:
        self.redis: Redis = connect(settings.redis_url.get_secret_value(), connections)
        self.keys = Keys(settings.agenda.shards)
        scripts = Scripts(self.redis)
        self.doorbells: Doorbells = (
            StoreDoorbells(self.redis) if settings.doorbells_in_store else BrokerDoorbells(settings.broker)
        )
        self.inbox = Inbox(self.redis, self.keys, scripts, self.doorbells, settings)
        self.accept_queue = AcceptQueue(self.redis)
        self.leases = Leases(self.redis, self.keys, scripts, self.doorbells, settings)
        self.agenda = Agenda(self.keys, scripts, settings)
        self.personas = Personas(self.redis, self.keys, scripts, settings)
        self.follow_ups = FollowUpIndex(self.redis, self.keys)
        self.timeline = Timeline(self.redis, self.keys)
        self.books = Books(self.keys, scripts)
        self.dead_letters = DeadLetters(self.redis, self.keys, scripts, self.doorbells, settings)

    def close(self) -> None:
        """Close all connections."""
        self.doorbells.close()
        self.redis.close()
