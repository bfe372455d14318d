"""The parts of the settings: frozen values, each with its defaults and their units.

All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
PersonaName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Section(BaseModel):
    """A frozen part of the tree; an unknown name in it is an error, so that a typo cannot pass for a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Join(Section):
    """How consecutive messages of a lead become one persona call.

    ``settle_seconds``: wait this long after the last message, in case more follow (0: do not wait).
    ``settle_limit_seconds``: never wait longer than this after the first one.
    ``max_events`` (1: never join) and ``max_characters`` bound one call.
    """

    settle_seconds: SecondsOrZero = 1.2
    settle_limit_seconds: Seconds = 8.0
    max_events: Count = 10
    max_characters: Count = 4000


class FollowUps(Section):
    """Re-engage a quiet lead: one follow-up after each delay, counted from the last delivered reply.

    ``delays_seconds`` empty (the default): never by itself; a producer can still enqueue a ``FollowUp``.
    """

    delays_seconds: tuple[Seconds, ...] = ()


class Unknown(Section):
    """What to do when a call may have been acted on but no answer came (crash, read timeout, dropped connection)."""

    inbound_chat: Literal["ask_again", "dead_letter"] = "ask_again"
    ai_opener: Literal["probe", "dead_letter"] = "probe"
    event_trigger: Literal["dead_letter", "ask_again"] = "dead_letter"
    follow_up: Literal["skip", "ask_again"] = "skip"
    delivery: Literal["send_again", "hold"] = "send_again"


class Escalation(Section):
    """What the lead's channel is told when the persona falls silent for good (Captivate actions 19 to 21).

    ``agent_id`` is needed by ``escalate_to_agent``; ``reason`` travels with the two that carry one.
    """

    action: Literal["silence", "escalate_to_human", "escalate_to_agent_router", "escalate_to_agent"] = "silence"
    agent_id: str | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _agent_is_named(self) -> Escalation:
        if self.action == "escalate_to_agent" and not self.agent_id:
            raise ValueError("escalate_to_agent needs agent_id")
        return self


class Persona(Section):
    """One FluidTalk identity. What ``join`` and ``follow_ups`` leave out is taken from the general ones.

    ``calls_per_second`` and ``calls_at_once`` bound the calls with this key, all processes together; by default there
    is no bound.
    """

    api_key: SecretStr
    own_username: str | None = None
    calls_per_second: Annotated[float, Field(gt=0)] | None = None
    calls_at_once: Count | None = None
    join: Join | None = None
    follow_ups: FollowUps | None = None
    unknown: Unknown = Unknown()
    on_sealed: Escalation = Escalation()
    on_dead: Escalation = Escalation()

    @model_validator(mode="after")
    def _key_can_be_a_header(self) -> Persona:
        key = self.api_key.get_secret_value()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("api_key must be one line of printable ASCII without spaces")
        return self


class FluidTalk(Section):
    """Where the personas live. ``read_seconds`` is the longest silence, ``total_seconds`` the longest call."""

    base_url: str = "https://api-talk.fluidvip.com"
    connect_seconds: Seconds = 5.0
    read_seconds: Seconds = 60.0
    total_seconds: Seconds = 75.0


class Captivate(Section):
    """Where answers go. ``environment`` has no default: a guess would send answers to the wrong place.

    ``base_url`` replaces the host (the path stays); ``headers`` are added to every send, for a gateway.
    """

    environment: Literal["dev", "prod"] | None = None
    base_url: str | None = None
    connect_seconds: Seconds = 5.0
    read_seconds: Seconds = 15.0
    total_seconds: Seconds = 25.0
    headers: dict[str, SecretStr] = {}

    @model_validator(mode="after")
    def _destination_is_explicit(self) -> Captivate:
        if self.environment is None and self.base_url is None:
            raise ValueError("environment must be dev or prod: there is no default (PARLEY_CAPTIVATE__ENVIRONMENT)")
        return self


class Lease(Section):
    """The right to run a turn. A killed worker's conversations go on after ``ttl_seconds`` plus one agenda tick."""

    ttl_seconds: Seconds = 6.0
    renew_seconds: Seconds = 2.0


class Agenda(Section):
    """``tick_seconds``: how often beat rings what is due. ``grace_seconds``: a doorbell unanswered for so long is
    rung again, later and later up to ``grace_limit_seconds``. ``shards`` splits the store; never change it while
    conversations are stored. ``ring_limit``: doorbells of one tick."""

    tick_seconds: Seconds = 0.5
    grace_seconds: Seconds = 4.0
    grace_limit_seconds: Seconds = 60.0
    shards: Annotated[int, Field(ge=1, le=100)] = 16
    ring_limit: Count = 10_000


class Retry(Section):
    """Budgets and pauses of one event. ``attempts`` and ``age_seconds`` (since the first attempt) end in a dead letter.

    The n-th pause is ``pause_seconds`` doubled n-1 times, at most ``pause_limit_seconds``, with jitter. A Retry-After
    of the server is obeyed in full up to ``retry_after_limit_seconds``. A connection that cannot be made is tried
    ``quick_tries`` times within the turn before it becomes a pause.
    """

    attempts: Count = 20
    age_seconds: Seconds = 6 * 3600.0
    pause_seconds: Seconds = 1.0
    pause_limit_seconds: Seconds = 120.0
    retry_after_limit_seconds: Seconds = 24 * 3600.0
    quick_tries: Count = 2
    quick_pause_seconds: SecondsOrZero = 0.2


class Validity(Section):
    """How old an event may be when its turn begins; an older one is skipped. Of joined messages the newest counts."""

    inbound_chat_seconds: Seconds = 2 * 86_400.0
    ai_opener_seconds: Seconds = 86_400.0
    event_trigger_seconds: Seconds = 6 * 3600.0
    follow_up_seconds: Seconds = 6 * 3600.0


class Gates(Section):
    """When a whole persona waits. ``circuit_failures``: connect failures or 503 in a row (seen by one process) that
    open the circuit. While it is open, or while credits are out, one call probes per interval; the interval starts
    at ``probe_seconds`` and doubles up to ``probe_limit_seconds``."""

    circuit_failures: Count = 5
    probe_seconds: Seconds = 5.0
    probe_limit_seconds: Seconds = 300.0


class Limits(Section):
    """What is refused at the door."""

    message_characters: Count = 10_000
    context_bytes: Count = 16_384
    channel_bytes: Count = 65_536
    inbox_events: Count = 1_000
    image_bytes: Count = 10 * 1024 * 1024


class Retention(Section):
    """How long the store keeps what is over: settled events (also the dedupe window), dead letters, quiet leads."""

    settled_seconds: Seconds = 7 * 86_400.0
    dead_seconds: Seconds = 30 * 86_400.0
    conversation_seconds: Seconds = 90 * 86_400.0
    timeline_entries: Count = 200


class Images(Section):
    """``allow_private_addresses`` lets a lead's image come from this machine or network. Only for tests and demos."""

    allow_private_addresses: bool = False
    connect_seconds: Seconds = 5.0
    read_seconds: Seconds = 10.0
    total_seconds: Seconds = 20.0


class Worker(Section):
    """``concurrency``: turns that may wait for a persona at once in one process. ``task_events`` feeds Flower.

    ``store_wait_seconds``: how long a result is kept in hand while the store is away. ``stuck_seconds``: a worker that
    runs no task for so long while doorbells wait ends itself. ``stop_seconds``: how long turns under way may go on
    after SIGTERM; then they are handed over by their leases, which may cost a second ask. Give the process a little
    more before it is killed. ``require_durable_store``: do not start on a store that is certain to lose events (no
    append-only file, or a policy that evicts). ``crash_at`` is for tests only: the process kills itself there
    (``worker/crash_points.py``).
    """

    concurrency: Count = 500
    task_events: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    store_wait_seconds: Seconds = 60.0
    stuck_seconds: Seconds = 240.0
    stop_seconds: Seconds = 10.0
    require_durable_store: bool = True
    crash_at: Annotated[str, StringConstraints(pattern=r"^[a-z ]+(:[1-9][0-9]*)?$")] | None = None
