"""The parts of the settings: frozen values, each with its defaults and their units.

All times are in seconds unless the name says otherwise. Those of the processes stand in ``config.processes``.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from config.placeholders import Secret
from config.values import (
    PLAIN_CONTENT,
    CallSeconds,
    CaPath,
    Count,
    JsonObject,
    Listed,
    ProxyUrl,
    Seconds,
    SecondsOrZero,
    Section,
    WallTime,
    ZoneName,
)


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


class PersonaFollowUps(Section):
    """Re-engage a quiet lead: one follow-up after each delay, counted from the last delivered reply.

    ``delays_seconds`` empty (the default): never by itself; a producer can still enqueue a ``FollowUp``. ``jitter``:
    up to this share of a delay is added to it, always the same for one touch, so that not all leads of an hour are
    touched in the same minute.
    ``per_lead``: follow-ups that one lead ever gets. ``per_day``: of the persona, by the store's UTC day; what is over
    moves to the next day. ``per_hour``: at most so many an hour, evenly.
    ``late_limit_seconds``: what could not be sent until so long after its moment is missed, and the cadence goes on
    from then with its next step: a week without a beat releases no flood.
    """

    delays_seconds: Annotated[tuple[Seconds, ...], Listed] = ()
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    per_lead: Count | None = None
    per_day: Count | None = None
    per_hour: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    late_limit_seconds: Seconds = 6 * 3600.0


class FollowUps(PersonaFollowUps):
    """The same for all personas. ``per_day_in_all``: follow-ups of all personas together, by the store's UTC day."""

    per_day_in_all: Count | None = None


class QuietHours(Section):
    """When a persona does not speak first, by the clock on the lead's wall: from ``start`` to ``end``, also across
    midnight. Both equal (the default): there are none.

    ``zone``: the persona's IANA zone. ``lead_zone_path``: where the channel metadata says the lead's zone, a dotted
    path below ``internal.channelMetadata``. ``when_zone_unknown``: what holds for a lead without a readable one: the
    persona's zone, no follow-up at all, or no quiet hours. ``openers``: whether openers keep quiet hours too.
    """

    start: WallTime = "00:00"
    end: WallTime = "00:00"
    zone: ZoneName = "UTC"
    lead_zone_path: Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$")] = "custom.timezone"
    when_zone_unknown: Literal["persona_zone", "do_not_send", "no_quiet_hours"] = "persona_zone"
    openers: bool = True


class Pacing(Section):
    """Bubbles one by one, with pauses as of somebody who types. Off by default: one send carries the whole reply.

    The pause before a bubble is its length at ``characters_per_second``, at least ``minimum_seconds``, at most
    ``maximum_seconds``; then up to ``jitter`` (a share of it) is added or taken away at random. A photo is the last
    bubble and comes after the least pause.
    """

    enabled: bool = False
    characters_per_second: Annotated[float, Field(ge=0.01, le=1_000_000, allow_inf_nan=False)] = 12.0
    minimum_seconds: SecondsOrZero = 1.0
    maximum_seconds: Seconds = 12.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2


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


class Takeover(Section):
    """When a person has a conversation, the persona is silent in it until it is handed back.

    ``livechat``: what an inbound chat means whose channel says that a person can take over: nothing, or that one does.
    ``on_hand_back``: what becomes of the events that waited: all go on as usual (``joined``), all but the lead's
    newest message are dropped (``last``), all are (``none``). ``hand_back_after_seconds``: a takeover without a message
    of the lead for so long ends by itself; None = only by hand.
    """

    livechat: Literal["ignore", "hold"] = "ignore"
    on_hand_back: Literal["joined", "last", "none"] = "joined"
    hand_back_after_seconds: Seconds | None = None


class Outreach(Section):
    """How fast a persona writes first to new leads, and when it stops by itself.

    ``openers_per_hour``: so many on the first day, then ``growth_per_day`` times as many each day, at most
    ``openers_per_hour_limit``; days are counted from the first opener. None = as fast as workers can. ``jitter``: the
    gap between two openers is up to this share of it longer or shorter.
    ``stop_share``: when this share of the last ``stop_window`` openers was ignored, sealed or refused by the channel,
    with at least ``stop_minimum`` of them counted, openers and follow-ups wait until a person lets them go on
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
        """Openers an hour when the ramp has reached its end; 0 without a ramp."""
        return self.openers_per_hour_limit or self.openers_per_hour or 0.0

    def per_hour_after(self, days: int) -> float:
        """Openers an hour when so many whole days have passed since the first one; 0 without a ramp."""
        # After so many days every growth that counts has reached the limit, and no number is too large.
        growth = self.growth_per_day ** min(days, 300)
        return min(self.most_per_hour, (self.openers_per_hour or 0.0) * growth)

    @model_validator(mode="after")
    def _ramp_has_an_end(self) -> Outreach:
        if self.growth_per_day > 1 and self.openers_per_hour_limit is None:
            raise ValueError("growth_per_day needs openers_per_hour_limit: what grows each day must end somewhere")
        if self.openers_per_hour_limit is not None and self.openers_per_hour_limit < (self.openers_per_hour or 0):
            raise ValueError("openers_per_hour_limit must not be below openers_per_hour: the ramp leads from one to it")
        if self.stop_minimum > self.stop_window:
            raise ValueError("stop_minimum must not exceed stop_window: so many are never counted")
        return self


class Persona(Section):
    """One FluidTalk identity. Only workers need ``api_key``. What ``join``, ``follow_ups``, ``quiet_hours`` and
    ``pacing`` leave out is taken from the general ones.

    ``calls_per_second`` (at most 1000) and ``calls_at_once`` bound the calls with this key, all processes together; by
    default there is no bound.
    """

    api_key: Secret | None = None
    own_username: str | None = None
    calls_per_second: Annotated[float, Field(ge=0.001, le=1000)] | None = None
    calls_at_once: Count | None = None
    join: Join | None = None
    follow_ups: PersonaFollowUps | None = None
    quiet_hours: QuietHours | None = None
    pacing: Pacing | None = None
    unknown: Unknown = Unknown()
    on_sealed: Escalation = Escalation()
    on_dead: Escalation = Escalation()
    takeover: Takeover = Takeover()
    outreach: Outreach = Outreach()

    @field_validator("api_key")
    @classmethod
    def _key_can_be_used(cls, secret: SecretStr | None) -> SecretStr | None:
        key = secret.get_secret_value() if secret else ""
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("must be one line of printable ASCII without spaces: copy the key again")
        if key.lower().startswith("ftc_"):
            raise ValueError(
                "is a token of FluidTalk's newer Characters API (ftc_...), which this version does not support yet: "
                "ask FluidTalk for a Handshake key (ft_sk_...)"
            )
        return secret


class Way(Section):
    """How calls leave this machine: ``ca_path``, who else may have signed a server's certificate; ``proxy``."""

    ca_path: CaPath | None = None
    proxy: ProxyUrl | None = None

    @property
    def proxy_url(self) -> str | None:
        """The proxy's URL, with its password."""
        return self.proxy.get_secret_value() if self.proxy else None


class FluidTalk(Way):
    """Where the personas live. ``read_seconds`` is the longest silence, ``total_seconds`` the longest call.

    ``ca_path``: certificates (PEM) of those who may have signed the server's, beside the public ones. ``proxy``: all
    calls go through it.
    """

    base_url: str = "https://api-talk.fluidvip.com"
    connect_seconds: CallSeconds = 5.0
    read_seconds: CallSeconds = 60.0
    total_seconds: CallSeconds = 75.0


class Captivate(Way):
    """Where answers go. ``environment`` has no default: a guess would send answers to the wrong place. Only workers
    need it.

    ``base_url`` replaces the host (the path stays); ``headers`` are added to every send, for a gateway.
    ``ca_path`` and ``proxy``: as for FluidTalk.
    """

    environment: Literal["dev", "prod"] | None = None
    base_url: str | None = None
    connect_seconds: CallSeconds = 5.0
    read_seconds: CallSeconds = 15.0
    total_seconds: CallSeconds = 25.0
    headers: Annotated[dict[str, Secret], JsonObject] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The channel's name in the store and for operators: its environment, or ``custom`` with an address alone;
        '' for processes that deliver nothing and do not know it."""
        return self.environment or ("custom" if self.base_url else "")


class Lease(Section):
    """The right to run a turn. A killed worker's conversations go on after ``ttl_seconds`` plus one agenda tick."""

    ttl_seconds: Annotated[float, Field(ge=0.5, le=600)] = 6.0
    renew_seconds: Seconds = 2.0


class Agenda(Section):
    """``tick_seconds``: how often beat rings what is due. ``grace_seconds``: a doorbell unanswered for so long is
    rung again, later and later up to ``grace_limit_seconds``. ``shards`` splits the store; it cannot be changed while
    anything is stored: the store keeps the number that it was made with, and no process works with another one.
    ``ring_limit``: doorbells of one tick. ``outreach_limit``: so many of openers and follow-ups are rung at one tick,
    less what still lies in their queue, shared between the personas; a campaign must not crowd out leads."""

    tick_seconds: Seconds = 0.5
    grace_seconds: Seconds = 4.0
    grace_limit_seconds: Seconds = 60.0
    shards: Annotated[int, Field(ge=1, le=100)] = 16
    ring_limit: Count = 10_000
    outreach_limit: Count = 20


class Retry(Section):
    """Budgets and pauses of one event. A failed attempt counts against its event only when another call of the same
    persona (or, for a delivery, to the channel) succeeded before the event's next attempt: an outage costs no budget.

    ``attempts``: that many attempts of one step that count end in a dead letter; ``unknown_attempts``: the same for
    attempts that may have been acted on (no answer, 500, 502, 504). ``age_seconds``: so does the sum of the pauses that
    those attempts caused. Asking and delivering have a budget each. Closed gates, quiet hours and the time without a
    worker count for neither.

    The n-th pause is ``pause_seconds`` doubled n-1 times, at most ``pause_limit_seconds``, with jitter. A Retry-After
    of the server is obeyed in full up to ``retry_after_limit_seconds``. A connection that cannot be made is tried
    ``quick_tries`` times within the turn before it becomes a pause.
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
    """How old an event may be when its turn begins; an older one is skipped. Of joined messages the newest counts."""

    inbound_chat_seconds: Seconds = 2 * 86_400.0
    ai_opener_seconds: Seconds = 86_400.0
    event_trigger_seconds: Seconds = 6 * 3600.0
    follow_up_seconds: Seconds = 6 * 3600.0


class Gates(Section):
    """When everything that needs an upstream waits. ``circuit_failures``: failed calls in a row (seen by one process;
    no connection, 5xx, no answer; to the channel also 401 and 403) that close the gate of a persona, or that of the
    channel; at least two conversations must be among them.

    While such a gate is closed, one call every ``probe_seconds`` tries the upstream, with the conversation that waits
    longest and has not tried yet. For missing credits the interval doubles with each failed try, up to
    ``probe_limit_seconds``.
    """

    circuit_failures: Count = 5
    probe_seconds: Seconds = 5.0
    probe_limit_seconds: Seconds = 300.0


class Limits(Section):
    """What is refused at the door, and how much of that is kept when it came through Celery.

    ``refused_bytes``: of one refused event. ``refused_per_conversation`` and ``refused_in_all``: letters of refused
    events that are kept at a time; further ones are only counted.
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
    """How long the store keeps what is over: settled events (also the dedupe window), dead letters, quiet leads.

    Each at least as long as the one before it: what a conversation counts must outlive its events.
    """

    settled_seconds: Seconds = 7 * 86_400.0
    dead_seconds: Seconds = 30 * 86_400.0
    conversation_seconds: Seconds = 90 * 86_400.0
    timeline_entries: Annotated[int, Field(ge=1, le=100_000)] = 200


class Images(Way):
    """``allow_private_addresses`` lets a lead's image come from this machine or network, but never from a cloud's
    metadata. Only for tests and demos. ``ca_path`` and ``proxy``: as for FluidTalk; such a proxy has to refuse private
    addresses itself, because it looks up the names.
    """

    allow_private_addresses: bool = False
    connect_seconds: CallSeconds = 5.0
    read_seconds: CallSeconds = 10.0
    total_seconds: CallSeconds = 20.0


class Tls(Section):
    """For every URL of store or broker that says TLS (``rediss``, ``rediss+...``, ``amqps``). Names are always checked.

    ``ca_path``: who may have signed the servers' certificates; without it those whom the system trusts.
    ``certificate_path`` and ``key_path``: our own, for servers that ask for one. All PEM.
    """

    ca_path: Path | None = None
    certificate_path: Path | None = None
    key_path: Path | None = None

    @model_validator(mode="after")
    def _come_together(self) -> Tls:
        if (self.certificate_path is None) != (self.key_path is None):
            raise ValueError("certificate_path and key_path are needed together")
        return self

    @field_validator("ca_path", "certificate_path", "key_path")
    @classmethod
    def _can_be_read(cls, path: Path | None) -> Path | None:
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            raise ValueError(f"{path} is not a file that this user may read: correct the path, or its rights")
        return path


class Encryption(Section):
    """Content in the store is encrypted with the first of ``keys``, and read with each of them; needs the extra
    ``encryption``. Without keys (the default) it is stored as it is.

    Each is 32 random bytes in base64 (``openssl rand -base64 32``). ``plain`` as the first entry: what is stored from
    now on is not encrypted, the others only read.
    """

    keys: Annotated[tuple[SecretStr, ...], Listed] = ()

    @field_validator("keys")
    @classmethod
    def _keys_can_be_used(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        texts = [key.get_secret_value() for key in keys]
        if len(set(texts)) < len(texts):
            raise ValueError("holds one entry twice: take one of them away")
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
    """``handles``: how Flower and logs name a lead: by the handle, or by a short hash of it (``parley explain`` and
    ``parley which`` lead from one to the other). Metrics and traces name no lead at all.

    ``handle_key`` is needed for hashes, at least 16 characters, and has to be the same in all processes: without it
    nobody can try handles.
    """

    handles: Literal["plain", "hashed"] = "plain"
    handle_key: Annotated[Secret, Field(min_length=16)] | None = None

    @model_validator(mode="after")
    def _hashes_are_keyed(self) -> Privacy:
        if self.handles == "hashed" and self.handle_key is None:
            raise ValueError("handles=hashed needs handle_key (PARLEY_PRIVACY__HANDLE_KEY): openssl rand -base64 32")
        return self
