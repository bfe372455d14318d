"""Everything an operator may set, as one frozen tree. This module is the only reader of the environment.

Variables start with ``PARLEY_``, levels are joined by two underscores: ``PARLEY_PERSONAS__AVA__API_KEY``. Values come
from the environment, then from ``.env`` in the working directory; personas also from the TOML file that
``PARLEY_PERSONAS_FILE`` names (the environment wins). All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config import budgets
from config.sections import (
    Agenda,
    Captivate,
    Escalation,
    FluidTalk,
    FollowUps,
    Gates,
    Images,
    Join,
    Lease,
    Limits,
    Persona,
    PersonaName,
    Retention,
    Retry,
    Unknown,
    Validity,
    Worker,
)

__all__ = [
    "Agenda",
    "Captivate",
    "Escalation",
    "FluidTalk",
    "FollowUps",
    "Gates",
    "Images",
    "Join",
    "Lease",
    "Limits",
    "Persona",
    "PersonaName",
    "Retention",
    "Retry",
    "Settings",
    "SettingsError",
    "Unknown",
    "Validity",
    "Worker",
    "load",
]


class SettingsError(Exception):
    """The settings cannot be used. The text lists every fault with its variable, never a value."""


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
    broker_url: SecretStr | None = None
    personas_file: Path | None = None
    personas: dict[PersonaName, Persona] = Field(default_factory=dict)
    fluidtalk: FluidTalk = FluidTalk()
    captivate: Captivate
    join: Join = Join()
    follow_ups: FollowUps = FollowUps()
    lease: Lease = Lease()
    agenda: Agenda = Agenda()
    retry: Retry = Retry()
    gates: Gates = Gates()
    validity: Validity = Validity()
    limits: Limits = Limits()
    retention: Retention = Retention()
    images: Images = Images()
    worker: Worker = Worker()

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
        joins = {f"PERSONAS__{name.upper()}__": self.join_of(name) for name, own in self.personas.items() if own.join}
        faults = budgets.faults(
            self.lease,
            self.agenda,
            self.retry,
            self.gates,
            self.retention,
            self.worker,
            upstreams={"FLUIDTALK": self.fluidtalk, "CAPTIVATE": self.captivate},
            joins={"": self.join, **joins},
        )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def broker(self) -> str:
        """The broker's URL, by default the store's."""
        return (self.broker_url or self.redis_url).get_secret_value()

    @property
    def doorbells_in_store(self) -> bool:
        """Whether broker and store are the same Redis database, so that a script can ring by itself."""
        return self.broker_url is None or self.broker_url == self.redis_url

    def join_of(self, persona: str) -> Join:
        """The joining rules of one persona."""
        own = self.personas[persona].join
        return self.join.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.join

    def follow_ups_of(self, persona: str) -> FollowUps:
        """The cadence of one persona."""
        return self.personas[persona].follow_ups or self.follow_ups


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
