"""What is set for one persona: which FluidTalk identity it is, and its own policies."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from config.consent import PersonaConsent
from config.outreach_rules import MessagingWindows
from config.placeholders import Secret
from config.sections import (
    Escalation,
    Join,
    Outreach,
    Pacing,
    PersonaFollowUps,
    QuietHours,
    Takeover,
    Unknown,
)
from config.values import Account, Count, Listed, Platform, Section


class TextLost(Section):
    """What a lead gets when the persona has answered and its words are lost: the server took a call for a repeat of one
    that broke off. ``action``: nothing, one ``line`` of your own, or a person. Only with the Characters API."""

    action: Literal["silence", "line", "person"] = "silence"
    line: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _line_is_there(self) -> TextLost:
        if self.action == "line" and not self.line:
            raise ValueError("action=line needs a line")
        return self


class PulledFollowUps(Section):
    """Follow-ups that FluidTalk writes by itself. Only with the Characters API.

    ``enabled``: whether Parley pulls and delivers them. Only one system may do so: switch others off first.
    ``platforms``: of leads on these platforms; empty (the default) = on that of the persona. ``every_seconds``: how
    often FluidTalk is asked for them.
    ``sweep_every_hours``: how often FluidTalk is told to look for quiet leads and to write to them, which it bills.
    None (the default) = never: then FluidTalk writes when it wants to. ``sweep_idle_hours``: the least time, in hours,
    for which a lead must have been quiet; None = FluidTalk decides. ``sweep_limit``: the most leads of one platform to
    whom it writes.
    """

    enabled: bool = False
    platforms: Annotated[tuple[Platform, ...], Listed] = ()
    every_seconds: Annotated[float, Field(ge=5, le=86_400)] = 60.0
    sweep_every_hours: Annotated[float, Field(ge=1, le=24 * 30)] | None = None
    sweep_idle_hours: Annotated[float, Field(ge=1, le=24 * 365)] | None = None
    sweep_limit: Annotated[int, Field(ge=1, le=1000)] = 50


class Persona(Section):
    """One FluidTalk identity. Workers and the command ``parley`` need ``api_key``. What ``join``, ``follow_ups``,
    ``quiet_hours``, ``messaging_windows``, ``pacing`` and ``consent`` do not set is taken from the general sections.

    ``api``: which of FluidTalk's APIs it has; the key tells: ``ft_sk_...`` is Handshake, a token ``ftc_...`` is
    Characters. ``platform`` (needed by Characters, and the same in all processes): where its leads write, such as
    ``instagram``, for events that name none. ``mode``: of the Characters API; ``mock`` and ``sandbox`` want handles
    that begin with ``test_``, and no real channel.

    ``separate_accounts`` (of the Characters API, and the same in all processes): the accounts of the persona, if its
    owner had FluidTalk keep a session of its own for each of them. A lead who writes to two accounts then has two
    conversations, and its targets name the account. ``own_username``: of events that name no account.

    ``interruptions``: what happens when a lead writes while the bubbles of a paced reply go out: all bubbles are sent,
    then the message is answered (``collect``); or the bubbles that were not sent yet are withheld (``stop_rest``).
    ``documents``: what happens to the text that a document of a lead brings with it: it is left out (``leave_out``), or
    the persona gets it behind the message (``as_text``). Set it in producers, too.
    ``calls_per_second`` (at most 1000) and ``calls_at_once`` limit the calls with this key, of all processes together.
    By default there is no limit.
    """

    api_key: Secret | None = None
    api: Literal["handshake", "characters"] | None = None
    platform: Platform | None = None
    mode: Literal["live", "mock", "sandbox"] = "live"
    own_username: str | None = None
    separate_accounts: Annotated[tuple[Account, ...], Listed] = ()
    calls_per_second: Annotated[float, Field(ge=0.001, le=1000)] | None = None
    calls_at_once: Count | None = None
    join: Join | None = None
    follow_ups: PersonaFollowUps | None = None
    pulled_follow_ups: PulledFollowUps = PulledFollowUps()
    quiet_hours: QuietHours | None = None
    messaging_windows: MessagingWindows | None = None
    pacing: Pacing | None = None
    consent: PersonaConsent | None = None
    unknown: Unknown = Unknown()
    on_text_lost: TextLost = TextLost()
    on_sealed: Escalation = Escalation()
    on_dead: Escalation = Escalation()
    takeover: Takeover = Takeover()
    outreach: Outreach = Outreach()
    interruptions: Literal["collect", "stop_rest"] = "collect"
    documents: Literal["leave_out", "as_text"] = "leave_out"

    @field_validator("api_key")
    @classmethod
    def _key_can_be_used(cls, secret: SecretStr | None) -> SecretStr | None:
        key = secret.get_secret_value() if secret else ""
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("must be one line of printable ASCII without spaces: copy the key again")
        return secret

    @cached_property
    def speaks(self) -> Literal["handshake", "characters"]:
        """The API that it is asked through. A process without keys tells it by ``platform``."""
        if self.api:
            return self.api
        if self.api_key is None:
            return "characters" if self.platform else "handshake"
        return "characters" if _is_token(self.api_key) else "handshake"

    @property
    def naming(self) -> Literal["handshake", "characters", "separate accounts"]:
        """How its leads are named: a change of it gives them other conversations."""
        return "separate accounts" if self.separate_accounts else self.speaks

    @cached_property
    def on_unknown(self) -> Unknown:
        """``unknown``, as far as the API leaves a choice: with Characters an opener and a trigger can be repeated."""
        if self.speaks == "handshake":
            return self.unknown
        return self.unknown.model_copy(update={"ai_opener": "probe", "event_trigger": "ask_again"})

    @model_validator(mode="after")
    def _key_and_api_agree(self) -> Persona:
        if self.api_key is not None and self.api:
            key = self.api_key.get_secret_value().lower()
            if self.api == "characters" and key.startswith("ft_sk_"):
                raise ValueError("api=characters needs a connector token (ftc_...), and the key is one of Handshake")
            if self.api == "handshake" and _is_token(self.api_key):
                raise ValueError("api=handshake needs a key (ft_sk_...), and a connector token (ftc_...) was given")
        if self.speaks == "characters" and self.platform is None:
            raise ValueError(
                "platform is missing: a persona of the Characters API (token ftc_...) needs the platform of its leads, "
                "such as PLATFORM=instagram"
            )
        if self.speaks == "handshake" and (self.platform or self.mode != "live"):
            raise ValueError("platform and mode belong to the Characters API (token ftc_...), and this is Handshake")
        if self.speaks == "handshake" and self.separate_accounts:
            raise ValueError("separate_accounts belongs to the Characters API (token ftc_...), and this is Handshake")
        if self.separate_accounts and self.own_username and self.own_username not in self.separate_accounts:
            known = ", ".join(self.separate_accounts)
            raise ValueError(f"own_username is {self.own_username}, and separate_accounts has only {known}")
        if self.speaks == "handshake" and self.pulled_follow_ups.enabled:
            raise ValueError(
                "pulled_follow_ups belongs to the Characters API (token ftc_...), and this is Handshake: use follow_ups"
            )
        return self


def _is_token(key: SecretStr) -> bool:
    return key.get_secret_value().lower().startswith("ftc_")
