"""The store: inboxes, journals, leases, agenda, gates, books. The only package that knows Redis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from redis import Redis

from config.settings import Settings
from worker.domain.handles import Handles
from worker.store.encryption import Content
from worker.store.heartbeats import Processes, Served
from worker.store.keys import Keys, Shard
from worker.store.personas.gates import Gates
from worker.store.personas.persona_gates import PersonaGates
from worker.store.personas.unconfigured import Unconfigured
from worker.store.queues.accept_queue import AcceptList, AcceptQueue, BrokerQueue
from worker.store.queues.broker import Broker
from worker.store.queues.doorbells import BrokerDoorbells, Doorbells, StoreDoorbells
from worker.store.queues.parked import Parked
from worker.store.queues.queue_figures import BrokerLook, ListLook, QueueLook
from worker.store.receipt_key import ReceiptKey
from worker.store.redis import writes
from worker.store.redis.ahead import AheadRedis
from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreError, StoreFull, connect
from worker.store.redis.layout import LayoutGuard
from worker.store.redis.lines import Lines
from worker.store.redis.scripts import Scripts
from worker.store.redis.troubles import Trouble
from worker.store.views.figures import Measures
from worker.store.views.timeline import Timeline

if TYPE_CHECKING:
    from worker.store.conversations.agenda import Agenda
    from worker.store.conversations.consents import Consents
    from worker.store.conversations.follow_ups import FollowUpIndex
    from worker.store.conversations.inbox import Inbox
    from worker.store.conversations.process_leases import ProcessLeases
    from worker.store.conversations.sessions import Sessions
    from worker.store.conversations.suspects import Suspects
    from worker.store.conversations.transcripts import Transcripts
    from worker.store.conversations.turn_steps import TurnSteps
    from worker.store.endpoints import Endpoints
    from worker.store.notices import Notices
    from worker.store.operator.audit import Audit
    from worker.store.operator.dead_letters import DeadLetters
    from worker.store.operator.erasure import Forgetting
    from worker.store.operator.key_rotation import Rotation
    from worker.store.operator.operator_messages import OperatorMessages
    from worker.store.operator.repeated_acts import RepeatedActs
    from worker.store.operator.seals import Seals
    from worker.store.operator.takeovers import Takeovers
    from worker.store.personas.apis import Apis
    from worker.store.personas.daily_counts import DailyCounts
    from worker.store.personas.errands import Errands
    from worker.store.personas.follow_up_caps import FollowUpCaps
    from worker.store.personas.frequency import LeadFrequency
    from worker.store.personas.places import Places
    from worker.store.personas.pulled import Pulled
    from worker.store.personas.ramp import Outreach
    from worker.store.repetitions import Repetitions
    from worker.store.views.books import Books
    from worker.store.views.event_state import EventStates
    from worker.store.views.known_conversations import KnownConversations

__all__ = ["Store", "StoreError", "StoreFull"]


class Store:
    """All parts of the store over one connection pool. Opens no connection before the first call.

    Parts that a process may do without are made when they are first used, or by ``complete``.

    ``ahead``: the store's clock runs ahead (``worker/store/redis/ahead.py``); only tests and simulations ask for it.
    ``client``: of such a simulation, the class of its client, which then carries each command, scripts included.
    """

    def __init__(
        self,
        settings: Settings,
        connections: int = 50,
        *,
        ahead: bool = False,
        client: type[AheadRedis] | None = None,
    ) -> None:
        ahead = ahead or client is not None
        self._client: type[Redis] = client or (AheadRedis if ahead else Redis)
        self.redis: Redis = connect(settings.store_address, settings.tls, connections, self._client)
        self.keys = Keys(settings.agenda.shards)
        self.layout = LayoutGuard(self.redis, settings.agenda.shards)
        without_lines = client is not None or isinstance(self.redis, LateCluster)
        self._lines = None if without_lines else Lines(self.redis, connections)
        self._settings = settings
        self._joins = {name: settings.join_of(name) for name in settings.personas}
        self._takeovers = {name: each.takeover for name, each in settings.personas.items()}
        self._consent_rules = settings.consent_rules
        self._scripts = scripts = Scripts(
            self.redis,
            ahead,
            self._lines,
            settings.lease.ttl_ms,
            settings.personas,
            settings.captivate.name,
            mends=settings.role == "worker",
            notices_kept=settings.notices.share(settings.agenda.shards),
        )
        handles = Handles(settings.privacy)
        self.broker = broker = None if settings.doorbells_in_store else Broker(settings.broker_address, settings.tls)
        self.doorbells: Doorbells = (
            StoreDoorbells(self.redis, handles) if broker is None else BrokerDoorbells(broker, handles)
        )
        self.content = Content(settings.encryption)
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
        self.parked = Parked(self.redis, settings.retention.dead_ms)
        self.processes = Processes(self.redis, scripts)
        self.unconfigured = Unconfigured()
        self.gates = Gates(self.redis, self.keys, scripts, settings.agenda.grace_ms)
        self.personas = PersonaGates(self.redis, self.keys, self.gates, settings.gates)
        self.timeline = Timeline(self.redis, self.keys)
        self.receipt_key = ReceiptKey(self.redis)
        # A scheduler, or a command that looks, may do without the names; the workers tell them.
        self.measures = Measures(
            self.redis,
            self.keys,
            scripts,
            self.queues,
            Served(tuple(settings.personas), settings.captivate.name),
            self.processes,
            lambda: self.notices.kept_figures(),
            asks_workers=settings.role == "scheduler" or not settings.captivate.name,
        )

    @cached_property
    def known(self) -> KnownConversations:
        """Which conversations there are."""
        from worker.store.views.known_conversations import KnownConversations

        return KnownConversations(self.redis, self.keys, self._scripts, self._settings.retention.conversation_ms)

    @cached_property
    def inbox(self) -> Inbox:
        """The door: accepts events."""
        from worker.store.conversations.inbox import Inbox

        own = self._settings
        return Inbox(
            self.redis,
            self.keys,
            self._scripts,
            self.doorbells,
            self.content,
            self.consents,
            self._takeovers,
            self._joins,
            self._consent_rules,
            own.limits,
            own.retention,
            own.agenda,
            own.transcript,
        )

    @cached_property
    def consents(self) -> Consents:
        """What leads have consented to."""
        from worker.store.conversations.consents import Consents, ErasedNames

        erased = ErasedNames(self._settings.consent_key)
        return Consents(self.redis, self.keys, self._scripts, erased, self._consent_rules, self._settings.retention)

    @cached_property
    def sessions(self) -> Sessions:
        """Which lead each session of the channel belongs to."""
        from worker.store.conversations.sessions import Sessions

        return Sessions(self.redis, self.keys, self._settings.retention)

    @property
    def channel(self) -> str:
        """The name of the channel, by these settings or as workers told it; '' = not known."""
        return self._settings.captivate.name or self.processes.served().channel

    @property
    def served(self) -> Served:
        """The personas of the workers, by these settings while no worker has told them, and the channel."""
        told, own = self.processes.served(), self._settings
        return Served(told.personas or tuple(own.personas), own.captivate.name or told.channel)

    @cached_property
    def transcripts(self) -> Transcripts:
        """What was said, as far as it is kept."""
        from worker.store.conversations.transcripts import Transcripts

        return Transcripts(self.redis, self.keys, self._scripts, self.content, self._settings.transcript)

    @cached_property
    def event_states(self) -> EventStates:
        """What became of events."""
        from worker.store.views.event_state import EventStates

        return EventStates(self.redis, self.keys, self.follow_ups, lambda: self.served)

    @cached_property
    def repetitions(self) -> Repetitions:
        """Requests without an id that come again at once."""
        from worker.store.repetitions import Repetitions

        return Repetitions(self.redis)

    @cached_property
    def follow_ups(self) -> FollowUpIndex:
        """The next touch of each conversation."""
        from worker.store.conversations.follow_ups import FollowUpIndex

        return FollowUpIndex(self.redis, self.keys, self._scripts, self.content, self._settings.retention)

    @cached_property
    def steps(self) -> TurnSteps:
        """The steps of turns."""
        from worker.store.conversations.turn_steps import TurnSteps

        own = self._settings
        return TurnSteps(
            self.keys,
            self._scripts,
            self.doorbells,
            self.content,
            self.processes,
            own.personas,
            self._joins,
            self._consent_rules,
            own.lease,
            own.agenda,
            own.retention,
            own.transcript,
            own.captivate.name,
        )

    @cached_property
    def agenda(self) -> Agenda:
        """When to look at which conversation."""
        from worker.store.conversations.agenda import Agenda

        own = self._settings
        return Agenda(
            self.redis,
            self.keys,
            self._scripts,
            self.doorbells,
            own.personas,
            own.agenda,
            own.lease,
            self.unconfigured,
            sees_accept=own.doorbells_in_store,
        )

    @cached_property
    def suspects(self) -> Suspects:
        """The evidence against events that are tried alone."""
        from worker.store.conversations.suspects import Suspects

        return Suspects(self.keys, self._scripts)

    def process_leases(self) -> ProcessLeases:
        """The signs of this process, over a connection of their own."""
        from worker.store.conversations.process_leases import ProcessLeases

        own, lease = self._settings, self._settings.lease
        # One that hangs is given up before the time of the process is over.
        answer_seconds = min(5.0, lease.process_ttl_seconds / 3)
        redis = connect(own.store_address, own.tls, 1, self._client, answer_seconds=answer_seconds)
        script = Scripts(redis, issubclass(self._client, AheadRedis), mends=False).keep_process

        def keep(name: str, shards: Sequence[Shard]) -> list[bool]:
            calls = [script.call(shard, process=name, ttl_ms=lease.process_ttl_ms) for shard in shards]
            return [bool(known) for known in script.many(calls)]

        return ProcessLeases(keep, lease.process_ttl_seconds, lease.process_renew_seconds, redis.close)

    @cached_property
    def places(self) -> Places:
        """Places for calls with a persona's key."""
        from worker.store.personas.places import Places

        own = self._settings
        return Places(self.redis, self.keys, self._scripts, self.doorbells, own.personas, own.lease, own.agenda)

    @cached_property
    def errands(self) -> Errands:
        """What has to be done for an owner."""
        from worker.store.personas.errands import Errands

        return Errands(self.keys, self._scripts)

    @cached_property
    def outreach(self) -> Outreach:
        """The ramps of openers."""
        from worker.store.personas.ramp import Outreach

        rules = {name: each.outreach for name, each in self._settings.personas.items()}
        return Outreach(self.redis, self.keys, self._scripts, self.personas, rules)

    @cached_property
    def follow_up_caps(self) -> FollowUpCaps:
        """How many follow-ups may go."""
        from worker.store.personas.follow_up_caps import FollowUpCaps

        own = self._settings
        caps = {name: own.follow_ups_of(name) for name in own.personas}
        return FollowUpCaps(self.keys, self._scripts, caps, own.follow_ups.per_day_in_all)

    @cached_property
    def pulled(self) -> Pulled:
        """Follow-ups that a persona's server has written."""
        from worker.store.personas.pulled import Pulled

        return Pulled(self.redis, self.keys, self._scripts)

    @cached_property
    def apis(self) -> Apis:
        """Which API each persona speaks."""
        from worker.store.personas.apis import Apis

        personas = self._settings.personas
        wanted = {name: each.naming for name, each in personas.items()}
        return Apis(self.redis, self.keys, wanted, {name: each.separate_accounts for name, each in personas.items()})

    @cached_property
    def drift(self) -> DailyCounts:
        """What the API of personas had beyond its contract."""
        from worker.store.personas.daily_counts import DRIFT, DailyCounts

        return DailyCounts(self.redis, DRIFT, "field unnamed")

    @cached_property
    def trigger_types(self) -> DailyCounts:
        """Types of platform events that personas of the Characters API were told of, as ``<persona> <type>``."""
        from worker.store.personas.daily_counts import TRIGGER_TYPES, DailyCounts

        return DailyCounts(self.redis, TRIGGER_TYPES)

    @cached_property
    def frequency(self) -> LeadFrequency:
        """How often one lead hears from all personas."""
        from worker.store.personas.frequency import LeadFrequency

        return LeadFrequency(self.keys, self._scripts, self._settings.frequency)

    @cached_property
    def audit(self) -> Audit:
        """What operators did."""
        from worker.store.operator.audit import Audit

        return Audit(self.redis, self.keys, self._scripts)

    @cached_property
    def rotation(self) -> Rotation:
        """Encrypts what is stored with the first key."""
        from worker.store.operator.key_rotation import Rotation

        return Rotation(self.redis, self._scripts, self.content)

    @cached_property
    def takeovers(self) -> Takeovers:
        """Conversations that a person has."""
        from worker.store.operator.takeovers import Takeovers

        return Takeovers(
            self.redis,
            self.keys,
            self._scripts,
            self.doorbells,
            self._takeovers,
            self._settings.agenda,
            self._settings.retention,
        )

    @cached_property
    def operator_messages(self) -> OperatorMessages:
        """What persons say in a persona's place."""
        from worker.store.operator.operator_messages import OperatorMessages

        return OperatorMessages(
            self.keys,
            self._scripts,
            self.doorbells,
            self.content,
            self.consents,
            self._settings.agenda,
            self._settings.limits,
        )

    @cached_property
    def seals(self) -> Seals:
        """Sealed conversations."""
        from worker.store.operator.seals import Seals

        return Seals(self.redis, self.keys, self._scripts, self._settings.retention)

    @cached_property
    def forgetting(self) -> Forgetting:
        """Erases leads."""
        from worker.store.operator.erasure import Forgetting

        # Where the queues are, when they are lists of a Redis server.
        queues = self.redis if self.broker is None else self._broker_redis
        return Forgetting(
            self.redis,
            queues,
            self.keys,
            self._scripts,
            self.consents,
            self.sessions,
            self.notices,
            self.audit,
            self.repeated_acts,
            self._settings.captivate.name,
        )

    @cached_property
    def repeated_acts(self) -> RepeatedActs:
        """Acts of operators that come again under the same name."""
        from worker.store.operator.repeated_acts import RepeatedActs

        return RepeatedActs(self.redis, self.keys)

    @cached_property
    def notices(self) -> Notices:
        """What the outside may have to know."""
        from worker.store.notices import Notices

        return Notices(self.redis, self.keys, self._scripts, self._settings.notices)

    @cached_property
    def endpoints(self) -> Endpoints:
        """Endpoints that notices are pushed to."""
        from worker.store.endpoints import Endpoints

        return Endpoints(self.redis, self.keys, self._scripts)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Events that ended without an answer."""
        from worker.store.operator.dead_letters import DeadLetters

        return DeadLetters(
            self.redis,
            self.keys,
            self._scripts,
            self.doorbells,
            self.content,
            self._settings.retention,
            self._settings.agenda,
        )

    @cached_property
    def books(self) -> Books:
        """What was counted."""
        from worker.store.views.books import Books

        return Books(self.redis, self.keys, self._scripts)

    def complete(self) -> None:
        """Make all parts now. Others are made when they are first used: a command needs few of them."""
        for name, part in vars(Store).items():
            if isinstance(part, cached_property):
                getattr(self, name)

    def ping(self) -> None:
        """Ask the store for a sign of life. Raises ``StoreError``."""
        self.redis.ping()

    def refusal(self) -> Trouble | None:
        """Why the store takes no writes; None = it takes them. Changes nothing. Raises ``StoreError``."""
        return writes.refusal(self.redis, self.keys.shards)

    def close(self) -> None:
        """Close all connections."""
        self.doorbells.close()
        if self._lines is not None:
            self._lines.close()
        for redis in (self.redis, self._broker_redis):
            if redis is not None:
                redis.close()
