"""The sections of the settings: frozen values, each with its defaults and their units.

All times are in seconds unless the name says otherwise. The sections of the processes are in ``config.processes``.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from config.placeholders import Secret
from config.values import (
    PLAIN_CONTENT,
    CallSeconds,
    CaPath,
    Count,
    Headers,
    JsonObject,
    Listed,
    OriginUrl,
    ProxyUrl,
    ReadablePath,
    Seconds,
    SecondsOrZero,
    Section,
    ServerUrl,
    WallTime,
    ZoneName,
)


class Join(Section):
    """How consecutive messages of a lead become one persona call.

    ``settle_seconds``: how long to wait after the last message, in case more follow (0: do not wait).
    ``settle_limit_seconds``: the longest wait after the first message.
    ``max_events`` (1: never join) and ``max_characters`` limit one call.
    """

    settle_seconds: SecondsOrZero = 1.2
    settle_limit_seconds: Seconds = 8.0
    max_events: Count = 10
    max_characters: Count = 4000


class PersonaFollowUps(Section):
    """When a persona writes again to a quiet lead: one follow-up after each delay since the last delivered reply.

    ``delays_seconds``: empty (the default) plans none; a producer can still enqueue a ``FollowUp``.
    ``jitter``: up to this share of a delay is added to it, always the same for one touch. So leads who fell silent
    together do not get follow-ups in the same minute.
    ``per_lead``: most follow-ups of one lead in all. ``per_day``: most of the persona in a UTC day of the store's
    clock; the others move to the next day. ``per_hour``: most in an hour, evenly spaced.
    ``late_limit_seconds``: a follow-up that is later than this is missed, and the cadence continues with its next
    step, counted from then. So a week without a beat does not end in a flood.
    """

    delays_seconds: Annotated[tuple[Seconds, ...], Listed] = ()
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    per_lead: Count | None = None
    per_day: Count | None = None
    per_hour: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    late_limit_seconds: Seconds = 6 * 3600.0


class FollowUps(PersonaFollowUps):
    """The same for all personas. ``per_day_in_all``: most follow-ups of all personas together in a UTC day of the
    store's clock."""

    per_day_in_all: Count | None = None


class QuietHours(Section):
    """When a persona does not write first, by the lead's local time: from ``start`` to ``end``, also across midnight.
    If both are equal (the default), there are no quiet hours.

    ``zone``: the persona's IANA zone. ``lead_zone_path``: where the channel metadata has the lead's zone, a dotted
    path below ``internal.channelMetadata``. ``when_zone_unknown``: what applies without a readable zone: the persona's
    zone, no follow-up at all, or no quiet hours. ``openers``: whether openers keep quiet hours too.
    """

    start: WallTime = "00:00"
    end: WallTime = "00:00"
    zone: ZoneName = "UTC"
    lead_zone_path: Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$")] = "custom.timezone"
    when_zone_unknown: Literal["persona_zone", "do_not_send", "no_quiet_hours"] = "persona_zone"
    openers: bool = True


class Pacing(Section):
    """Bubbles one by one, with pauses like those of a person who types. Off by default: one delivery carries the whole
    reply.

    The pause before a bubble is its length at ``characters_per_second``, at least ``minimum_seconds``, at most
    ``maximum_seconds``. Up to ``jitter``, a share of it, is then added or subtracted at random. A photo comes after
    the shortest pause. ``timing``: by the length of the bubbles (``typing``), or as the persona says (``vendor``, which
    only the Characters API does), up to ``maximum_seconds``.
    """

    enabled: bool = False
    timing: Literal["typing", "vendor"] = "typing"
    characters_per_second: Annotated[float, Field(ge=0.01, le=1_000_000, allow_inf_nan=False)] = 12.0
    minimum_seconds: SecondsOrZero = 1.0
    maximum_seconds: Seconds = 12.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2


class Unknown(Section):
    """What to do when a call may have taken effect but no answer came (crash, read timeout, dropped connection)."""

    inbound_chat: Literal["ask_again", "dead_letter"] = "ask_again"
    ai_opener: Literal["probe", "dead_letter"] = "probe"
    event_trigger: Literal["dead_letter", "ask_again"] = "dead_letter"
    follow_up: Literal["skip", "ask_again"] = "skip"
    delivery: Literal["send_again", "hold"] = "send_again"


class Escalation(Section):
    """What the lead's channel is told when the persona will not answer any more (Captivate actions 19 to 21).

    ``agent_id``: only for ``escalate_to_agent``, which needs it. ``reason``: sent with ``escalate_to_agent_router`` and
    ``escalate_to_agent``.
    """

    action: Literal["silence", "escalate_to_human", "escalate_to_agent_router", "escalate_to_agent"] = "silence"
    agent_id: str | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _agent_is_named(self) -> Escalation:
        if self.action == "escalate_to_agent" and not self.agent_id:
            raise ValueError("escalate_to_agent needs agent_id")
        return self


class Takeover(Section):
    """While a person has taken over a conversation, the persona is silent in it until it is handed back.

    ``livechat``: what a message means whose channel has ``hasLivechat``: nothing (``ignore``), or that a person has
    taken over (``hold``).
    ``on_hand_back``: what happens to the events that waited: all continue (``joined``), all but the lead's newest
    message are dropped (``last``), or all are dropped (``none``).
    ``hand_back_after_seconds``: a takeover ends after this time without a message of the lead; None = only
    ``parley hand-back`` ends it.
    """

    livechat: Literal["ignore", "hold"] = "ignore"
    on_hand_back: Literal["joined", "last", "none"] = "joined"
    hand_back_after_seconds: Seconds | None = None


class Outreach(Section):
    """How fast a persona writes first to new leads, and when it stops.

    ``openers_per_hour``: the rate of the first day. Each day after the first opener it grows by the factor
    ``growth_per_day``, up to ``openers_per_hour_limit``. None = as fast as workers can. ``jitter``: the gap between two
    openers is longer or shorter by up to this share of it.
    ``stop_share``: if this share of the last ``stop_window`` openers was ignored, sealed or refused by the channel,
    with at least ``stop_minimum`` of them counted, openers and follow-ups wait until an operator opens the gate
    (``parley resume PERSONA --gate outreach``). 0 = never.
    """

    openers_per_hour: Annotated[float, Field(ge=0.001, le=3_600_000)] | None = None
    growth_per_day: Annotated[float, Field(ge=1, le=10)] = 1.0
    openers_per_hour_limit: Annotated[float, Field(ge=0.001, le=3_600_000)] | None = None
    jitter: Annotated[float, Field(ge=0, le=0.9)] = 0.3
    stop_window: Annotated[int, Field(ge=1, le=1000)] = 50
    stop_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    stop_minimum: Count = 10

    @property
    def most_per_hour(self) -> float:
        """Openers an hour at the end of the ramp; 0 without a ramp."""
        return self.openers_per_hour_limit or self.openers_per_hour or 0.0

    def per_hour_after(self, days: int) -> float:
        """Openers an hour, ``days`` whole days after the first one; 0 without a ramp."""
        # By day 300 every growth that matters has reached the limit, and the power is not too large for a float.
        growth = self.growth_per_day ** min(days, 300)
        return min(self.most_per_hour, (self.openers_per_hour or 0.0) * growth)

    @model_validator(mode="after")
    def _ramp_has_an_end(self) -> Outreach:
        if self.growth_per_day > 1 and self.openers_per_hour_limit is None:
            raise ValueError("growth_per_day needs openers_per_hour_limit: what grows each day must end somewhere")
        if self.openers_per_hour_limit is not None and self.openers_per_hour_limit < (self.openers_per_hour or 0):
            raise ValueError("openers_per_hour_limit must not be below openers_per_hour: the ramp leads from one to it")
        if self.stop_minimum > self.stop_window:
            raise ValueError("stop_minimum must not exceed stop_window: no more than stop_window are ever counted")
        return self


class Way(Section):
    """How calls leave this machine. ``ca_path``: further certificate authorities to trust. ``proxy``: an outgoing
    proxy."""

    ca_path: CaPath | None = None
    proxy: ProxyUrl | None = None

    @property
    def proxy_url(self) -> str | None:
        """The proxy's URL, with its password."""
        return self.proxy.get_secret_value() if self.proxy else None


class FluidTalk(Way):
    """How FluidTalk is called. ``read_seconds`` is the longest silence, ``total_seconds`` the longest call.

    ``ca_path``: certificate authorities (PEM) to trust in addition to the public ones. ``proxy``: all calls go through
    it.
    """

    base_url: ServerUrl = "https://api-talk.fluidvip.com"
    connect_seconds: CallSeconds = 5.0
    read_seconds: CallSeconds = 60.0
    total_seconds: CallSeconds = 75.0


class Captivate(Way):
    """Where replies go. ``environment`` has no default, because a wrong guess would send replies to the wrong place.
    Workers and the command ``parley`` need it.

    ``base_url`` replaces the host; the path stays. ``headers`` are added to every delivery, for a gateway.
    ``ca_path`` and ``proxy``: as for FluidTalk.
    """

    environment: Literal["dev", "prod"] | None = None
    base_url: OriginUrl | None = None
    connect_seconds: CallSeconds = 5.0
    read_seconds: CallSeconds = 15.0
    total_seconds: CallSeconds = 25.0
    headers: Annotated[Headers, JsonObject] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The channel's name in the store and for operators: its environment, or ``custom`` if only an address is set;
        '' in processes that deliver nothing and do not know it."""
        return self.environment or ("custom" if self.base_url else "")


class Lease(Section):
    """The right to run a turn. It lasts while its process says that it lives: the conversations of a killed worker
    continue ``process_ttl_seconds`` after its last sign, and one agenda tick.

    ``ttl_seconds``: how long the lease of one conversation lasts without renewal, whatever its process says. It is what
    workers of 0.1.0 go by, and what is left when no worker looks after dead processes.
    """

    process_ttl_seconds: Annotated[float, Field(ge=0.5, le=600)] = 2.5
    process_renew_seconds: Seconds = 0.5
    ttl_seconds: Annotated[float, Field(ge=0.5, le=600)] = 15.0
    renew_seconds: Seconds | None = None

    @property
    def renewal_seconds(self) -> float:
        """How often a lease is renewed: ``renew_seconds``, by default a third of its length."""
        return self.renew_seconds or self.ttl_seconds / 3

    @property
    def process_ttl_ms(self) -> int:
        """``process_ttl_seconds`` in milliseconds."""
        return int(self.process_ttl_seconds * 1000)

    @property
    def ttl_ms(self) -> int:
        """``ttl_seconds`` in milliseconds."""
        return int(self.ttl_seconds * 1000)


class Agenda(Section):
    """When beat has doorbells sent.

    ``tick_seconds``: how often it has due conversations looked for. ``grace_seconds``: a doorbell that no worker has
    taken after this time is sent again, then at growing intervals up to ``grace_limit_seconds``.
    ``shards``: parts that the store is split into. It cannot be changed while anything is stored: the store keeps its
    number, and every process refuses another one.
    ``ring_limit``: most doorbells of one tick. ``outreach_limit``: most doorbells for openers and follow-ups of one
    tick, less those that still lie in their queue, shared between the personas. So a campaign does not delay leads.
    """

    tick_seconds: Seconds = 0.5
    grace_seconds: Seconds = 4.0
    grace_limit_seconds: Seconds = 60.0
    shards: Annotated[int, Field(ge=1, le=100)] = 16
    ring_limit: Count = 10_000
    outreach_limit: Count = 20

    @property
    def grace_ms(self) -> int:
        """``grace_seconds`` in milliseconds."""
        return int(self.grace_seconds * 1000)


class Retry(Section):
    """Budgets and pauses of one event. A failed attempt counts against its event only if another call of the same
    persona (or, for a delivery, to the channel) succeeded before the event's next attempt. An outage costs no budget.

    An event becomes a dead letter after ``attempts`` attempts that count, after ``unknown_attempts`` of them that may
    have taken effect (no answer, 500, 502, 504), or when the pauses that they caused add up to ``age_seconds``. Asking
    and delivering have a budget each. Closed gates, quiet hours and the time without a worker count for neither.

    The n-th pause is ``pause_seconds`` doubled n-1 times, at most ``pause_limit_seconds``, with jitter. A Retry-After
    of the server is obeyed in full up to ``retry_after_limit_seconds``. A connection to FluidTalk that cannot be made
    is tried ``quick_tries`` times within the turn, ``quick_pause_seconds`` apart, before the turn holds the event.
    """

    attempts: Count = 20
    unknown_attempts: Count = 5
    age_seconds: Seconds = 2 * 86_400.0
    pause_seconds: Seconds = 1.0
    pause_limit_seconds: Seconds = 120.0
    retry_after_limit_seconds: Seconds = 24 * 3600.0
    quick_tries: Count = 2
    quick_pause_seconds: SecondsOrZero = 0.2


class Validity(Section):
    """How long an event may have waited when its turn begins; an older one is skipped. Of joined messages the newest
    counts."""

    inbound_chat_seconds: Seconds = 2 * 86_400.0
    ai_opener_seconds: Seconds = 86_400.0
    event_trigger_seconds: Seconds = 6 * 3600.0
    follow_up_seconds: Seconds = 6 * 3600.0


class Gates(Section):
    """When all that needs an upstream waits. ``circuit_failures``: failed calls in a row, seen by one process, that
    close the gate of a persona or of the channel. A call fails without a connection, with 5xx or without an answer; to
    the channel also with 401 and 403. At least two conversations must be among them.

    While such a gate is closed, one call every ``probe_seconds`` tries the upstream, with the conversation that has
    waited longest and has not tried yet. Without credits the interval doubles after each failed try, up to
    ``probe_limit_seconds``.
    """

    circuit_failures: Count = 5
    probe_seconds: Seconds = 5.0
    probe_limit_seconds: Seconds = 300.0


class Limits(Section):
    """The largest events that are accepted, and how much is kept of refused ones that came through Celery.

    ``refused_bytes``: most bytes kept of one refused event. ``refused_per_conversation`` and ``refused_in_all``: most
    letters of refused events that are kept at a time; further ones are only counted.
    """

    message_characters: Count = 10_000
    context_bytes: Count = 16_384
    channel_bytes: Count = 65_536
    inbox_events: Count = 1_000
    image_bytes: Count = 10 * 1024 * 1024
    refused_bytes: Annotated[int, Field(ge=256, le=512 * 1024)] = 32_768
    refused_per_conversation: Count = 20
    refused_in_all: Count = 5_000


class Retention(Section):
    """How long the store keeps ended events (and recognises their ids), dead letters, and quiet conversations.

    Each time is at least as long as the one before it, because the state of a conversation must outlive its events.
    """

    settled_seconds: Seconds = 7 * 86_400.0
    dead_seconds: Seconds = 30 * 86_400.0
    conversation_seconds: Seconds = 90 * 86_400.0
    timeline_entries: Annotated[int, Field(ge=1, le=100_000)] = 200

    @property
    def settled_ms(self) -> int:
        """``settled_seconds`` in milliseconds."""
        return int(self.settled_seconds * 1000)

    @property
    def dead_ms(self) -> int:
        """``dead_seconds`` in milliseconds."""
        return int(self.dead_seconds * 1000)

    @property
    def conversation_ms(self) -> int:
        """``conversation_seconds`` in milliseconds."""
        return int(self.conversation_seconds * 1000)


class Images(Way):
    """How images of leads are fetched. ``allow_private_addresses``: fetch them also from this machine or its network,
    but never from a cloud's metadata. Only for tests and demos. ``ca_path`` and ``proxy``: as for FluidTalk. The proxy
    has to refuse private addresses itself, because it looks up the names.
    """

    allow_private_addresses: bool = False
    connect_seconds: CallSeconds = 5.0
    read_seconds: CallSeconds = 10.0
    total_seconds: CallSeconds = 20.0


class Tls(Section):
    """Certificates for URLs of store or broker with TLS (``rediss``, ``rediss+...``, ``amqps``). Names are always
    checked.

    ``ca_path``: certificate authorities to trust; without it those of the system. ``certificate_path`` and
    ``key_path``: the client certificate, for servers that demand one. All are PEM files.
    """

    ca_path: ReadablePath | None = None
    certificate_path: ReadablePath | None = None
    key_path: ReadablePath | None = None

    @model_validator(mode="after")
    def _come_together(self) -> Tls:
        if (self.certificate_path is None) != (self.key_path is None):
            raise ValueError("certificate_path and key_path are needed together")
        return self


class Encryption(Section):
    """Encryption of content in the store. The first of ``keys`` encrypts, and all of them decrypt. Needs the extra
    ``encryption``. Without keys (the default) content is not encrypted.

    Each key is 32 random bytes in base64 (``openssl rand -base64 32``). With ``plain`` as the first entry, new content
    is not encrypted, and the keys only decrypt.
    """

    keys: Annotated[tuple[SecretStr, ...], Listed] = ()

    @field_validator("keys")
    @classmethod
    def _keys_can_be_used(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        texts = [key.get_secret_value() for key in keys]
        if len(set(texts)) < len(texts):
            raise ValueError("holds one entry twice: remove one of them")
        for place, text in enumerate(texts, start=1):
            if text == PLAIN_CONTENT and place == 1:
                continue
            try:
                length = len(base64.b64decode(text, validate=True))
            except ValueError:
                length = 0
            if length != 32:
                raise ValueError(f"entry {place} is not 32 bytes in base64; make one: openssl rand -base64 32")
        return keys


class Privacy(Section):
    """How Flower and logs name a lead. ``handles``: by the handle (``plain``), or by a short hash of it (``hashed``;
    ``parley explain`` and ``parley which`` translate). Metrics and traces never name a lead.

    ``handle_key``: the key of the hashes, so that handles cannot be guessed. Hashes need it. It has at least 16
    characters and has to be the same in all processes.
    """

    handles: Literal["plain", "hashed"] = "plain"
    handle_key: Annotated[Secret, Field(min_length=16)] | None = None

    @model_validator(mode="after")
    def _hashes_are_keyed(self) -> Privacy:
        if self.handles == "hashed" and self.handle_key is None:
            raise ValueError("handles=hashed needs handle_key (PARLEY_PRIVACY__HANDLE_KEY): openssl rand -base64 32")
        return self
