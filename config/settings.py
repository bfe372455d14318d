"""Everything an operator may set, as one frozen tree. This module is the only reader of the environment.

Variables start with ``PARLEY_``, levels are joined by two underscores: ``PARLEY_PERSONAS__AVA__API_KEY``. Values come
from the environment, then from ``.env`` in the working directory; personas also from the TOML file that
``PARLEY_PERSONAS_FILE`` names (the environment wins). Every variable can be given as a file instead, for secrets:
``PARLEY_REDIS_PASSWORD_FILE=/run/secrets/redis_password``. All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from config import addresses, budgets
from config.addresses import Address
from config.processes import Flower, Metrics, Tracing, Worker
from config.secret_files import Environment, EnvironmentFile, SettingsError, with_password
from config.sections import (
    Agenda,
    Captivate,
    Encryption,
    Escalation,
    FluidTalk,
    FollowUps,
    Gates,
    Images,
    Join,
    Lease,
    Limits,
    Outreach,
    Pacing,
    Persona,
    Privacy,
    QuietHours,
    Retention,
    Retry,
    Takeover,
    Tls,
    Unknown,
    Validity,
)
from config.values import PersonaName

__all__ = [
    "Agenda",
    "Captivate",
    "Encryption",
    "Escalation",
    "Flower",
    "FluidTalk",
    "FollowUps",
    "Gates",
    "Images",
    "Join",
    "Lease",
    "Limits",
    "Metrics",
    "Outreach",
    "Pacing",
    "Persona",
    "PersonaName",
    "Privacy",
    "QuietHours",
    "Retention",
    "Retry",
    "Settings",
    "SettingsError",
    "Takeover",
    "Tls",
    "Tracing",
    "Unknown",
    "Validity",
    "Worker",
    "load",
]


class Settings(BaseSettings):
    """The whole tree. Build it with ``load``; hand slices of it down."""

    model_config = SettingsConfigDict(
        env_prefix="PARLEY_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    redis_url: SecretStr
    redis_password: SecretStr | None = None
    broker_url: SecretStr | None = None
    broker_password: SecretStr | None = None
    personas_file: Path | None = None
    personas: dict[PersonaName, Persona] = Field(default_factory=dict)
    fluidtalk: FluidTalk = FluidTalk()
    captivate: Captivate
    join: Join = Join()
    follow_ups: FollowUps = FollowUps()
    quiet_hours: QuietHours = QuietHours()
    pacing: Pacing = Pacing()
    lease: Lease = Lease()
    agenda: Agenda = Agenda()
    retry: Retry = Retry()
    gates: Gates = Gates()
    validity: Validity = Validity()
    limits: Limits = Limits()
    retention: Retention = Retention()
    images: Images = Images()
    tls: Tls = Tls()
    encryption: Encryption = Encryption()
    privacy: Privacy = Privacy()
    worker: Worker = Worker()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
    flower: Flower = Flower()

    @classmethod
    def settings_customise_sources(  # the signature is pydantic's
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Pydantic's own hook: where values come from, the first wins."""
        assert isinstance(dotenv_settings, DotEnvSettingsSource)  # noqa: S101 - as documented by pydantic-settings
        return init_settings, Environment(settings_cls), EnvironmentFile(settings_cls, dotenv_settings.env_file)

    @model_validator(mode="before")
    @classmethod
    def _passwords_in_urls(cls, data: dict[str, Any]) -> dict[str, Any]:
        merged = dict(data)
        for store in ("redis", "broker"):
            password, url = _plain(data.get(f"{store}_password")), _plain(data.get(f"{store}_url"))
            if password and url:
                merged[f"{store}_url"] = with_password(url, password)
        return merged

    @field_validator("redis_url", "broker_url")
    @classmethod
    def _server_can_be_used(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None:
            kind = addresses.parse(url.get_secret_value()).kind
            if info.field_name == "redis_url" and kind not in ("redis", "sentinel", "cluster"):
                raise ValueError("the store must be Redis or Valkey: redis://, redis+sentinel:// or redis+cluster://")
            if info.field_name == "broker_url" and kind == "cluster":
                raise ValueError("Celery cannot use a Redis Cluster as broker: give one Redis, Sentinel or RabbitMQ")
        return url

    @model_validator(mode="before")
    @classmethod
    def _personas_from_file(cls, data: dict[str, Any]) -> dict[str, Any]:
        file = data.get("personas_file")
        if not file:
            return data
        return {**data, "personas": _merged(_read_personas(Path(file)), data.get("personas") or {})}

    @model_validator(mode="after")
    def _usable(self) -> Settings:
        if not self.personas:
            raise ValueError("no persona is configured (PARLEY_PERSONAS__<NAME>__API_KEY or PARLEY_PERSONAS_FILE)")
        if self.store_address.kind == "cluster" and self.broker_url is None:
            raise ValueError(
                "PARLEY_BROKER_URL is missing: the store is a Redis Cluster, which Celery cannot use as broker; "
                "give a single Redis, Sentinel or RabbitMQ for the doorbells"
            )
        faults = budgets.faults(self._parts())
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _parts(self) -> budgets.Parts:
        places = {name: f"PERSONAS__{name.upper()}__" for name in self.personas}
        own = self.personas.items()
        return budgets.Parts(
            lease=self.lease,
            agenda=self.agenda,
            retry=self.retry,
            gates=self.gates,
            retention=self.retention,
            worker=self.worker,
            validity=self.validity,
            upstreams={"FLUIDTALK": self.fluidtalk, "CAPTIVATE": self.captivate},
            joins={"": self.join} | {places[name]: self.join_of(name) for name, each in own if each.join},
            pacings={"": self.pacing} | {places[name]: self.pacing_of(name) for name, each in own if each.pacing},
            cadences={"": self.follow_ups}
            | {places[name]: self.follow_ups_of(name) for name, each in own if each.follow_ups},
            takeovers={places[name]: each.takeover for name, each in own},
        )

    @property
    def broker(self) -> str:
        """The broker's URL, by default the store's."""
        return (self.broker_url or self.redis_url).get_secret_value()

    @property
    def store_address(self) -> Address:
        """The store's URL, taken apart."""
        return addresses.parse(self.redis_url.get_secret_value())

    @property
    def broker_address(self) -> Address:
        """The broker's URL, taken apart."""
        return addresses.parse(self.broker)

    @property
    def doorbells_in_store(self) -> bool:
        """Whether broker and store are the same Redis database, so that a script can ring by itself."""
        return self.broker_url is None or self.broker_url == self.redis_url

    def join_of(self, persona: str) -> Join:
        """The joining rules of one persona."""
        own = self.personas[persona].join
        return self.join.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.join

    def pacing_of(self, persona: str) -> Pacing:
        """How the bubbles of one persona are paced."""
        own = self.personas[persona].pacing
        return self.pacing.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.pacing

    def follow_ups_of(self, persona: str) -> FollowUps:
        """The cadence of one persona."""
        own = self.personas[persona].follow_ups
        return self.follow_ups.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.follow_ups

    def quiet_hours_of(self, persona: str) -> QuietHours:
        """When one persona does not speak first."""
        own = self.personas[persona].quiet_hours
        return self.quiet_hours.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.quiet_hours


def load(env_file: str | Path | None = ".env", **overrides: Any) -> Settings:
    """Read and check all settings.

    ``overrides`` are top-level fields that win over everything else (tests and the demo use them).
    Raises ``SettingsError`` with one line per fault.
    """
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        lines = [f"  {_variable(fault['loc'])}: {_said(fault)}" for fault in error.errors(include_input=False)]
        raise SettingsError("Parley cannot start with these settings:\n" + "\n".join(lines)) from None


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _variable(location: tuple[int | str, ...]) -> str:
    return "PARLEY_" + "__".join(str(part) for part in location).upper() if location else "settings"


def _said(fault: Any) -> str:
    message: str = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing" and fault["loc"] == ("captivate",):
        return "missing: set PARLEY_CAPTIVATE__ENVIRONMENT to dev or prod (there is no default)"
    return message


def _read_personas(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"personas file {file} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError:
        raise ValueError(f"personas file {file} is not valid TOML") from None


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
