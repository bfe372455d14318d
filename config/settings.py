"""Everything an operator may set, as one frozen tree. ``config`` is the only reader of the environment.

Variables start with ``PARLEY_``, levels are joined by two underscores: ``PARLEY_PERSONAS__AVA__API_KEY``. Values come
from the environment, then from ``.env`` in the working directory; personas also from the TOML file that
``PARLEY_PERSONAS_FILE`` names (the environment wins). Every variable can be given as a file instead, for secrets:
``PARLEY_REDIS_PASSWORD_FILE=/run/secrets/redis_password``. All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from config import addresses, budgets, variables
from config.addresses import Address
from config.consent import Consent
from config.console import Console
from config.ingress import Ingress
from config.notices import Notices
from config.outreach_rules import Frequency, MessagingWindows
from config.personas import Persona, TextLost
from config.processes import Flower, Metrics, Tracing, Worker
from config.refusing import Refusal
from config.secret_files import SettingsError, text_of, with_password
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
    Privacy,
    QuietHours,
    Retention,
    Retry,
    Takeover,
    Tls,
    Unknown,
    Validity,
)
from config.transcript import Transcript
from config.values import PersonaName, named

__all__ = [
    "Agenda",
    "Captivate",
    "Consent",
    "Console",
    "Encryption",
    "Escalation",
    "Flower",
    "FluidTalk",
    "FollowUps",
    "Frequency",
    "Gates",
    "Images",
    "Ingress",
    "Join",
    "Lease",
    "Limits",
    "MessagingWindows",
    "Metrics",
    "Notices",
    "Outreach",
    "Pacing",
    "Persona",
    "PersonaName",
    "Privacy",
    "QuietHours",
    "Retention",
    "Retry",
    "Role",
    "Settings",
    "SettingsError",
    "Takeover",
    "TextLost",
    "Tls",
    "Tracing",
    "Transcript",
    "Unknown",
    "Validity",
    "Worker",
    "load",
]


# The process that loads them decides what is required. A worker calls FluidTalk and Captivate, and the command `parley`
# reads the same settings. A producer needs the store and the names of the personas. The web process needs these, and
# has the secrets of its sources and endpoints. A scheduler, Flower and a health check need the store.
Role = Literal["worker", "producer", "web", "scheduler"]

_DEMO_KEYS = ("ft_sk_demo_", "ftc_live_demo_")


class Settings(BaseModel):
    """All settings, as one frozen tree. ``load`` makes it; parts of Parley get the sections that they need.

    ``role``: the process for which it was loaded. Only a worker's settings have API keys, only those of the web process
    have the sources of the ingress and the endpoints of notices.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    _role: Role = PrivateAttr(default="worker")
    _key_origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    redis_url: SecretStr
    redis_password: SecretStr | None = None
    broker_url: SecretStr | None = None
    broker_password: SecretStr | None = None
    personas_file: Path | None = None
    operators_file: Path | None = None
    personas: Annotated[dict[PersonaName, Persona], BeforeValidator(named)] = Field(default_factory=dict)
    fluidtalk: FluidTalk = FluidTalk()
    captivate: Captivate = Captivate()
    join: Join = Join()
    follow_ups: FollowUps = FollowUps()
    quiet_hours: QuietHours = QuietHours()
    messaging_windows: MessagingWindows = MessagingWindows()
    frequency: Frequency = Frequency()
    pacing: Pacing = Pacing()
    consent: Consent = Consent()
    lease: Lease = Lease()
    agenda: Agenda = Agenda()
    retry: Retry = Retry()
    gates: Gates = Gates()
    validity: Validity = Validity()
    limits: Limits = Limits()
    retention: Retention = Retention()
    transcript: Transcript = Transcript()
    images: Images = Images()
    tls: Tls = Tls()
    encryption: Encryption = Encryption()
    privacy: Privacy = Privacy()
    worker: Worker = Worker()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
    flower: Flower = Flower()
    ingress: Ingress = Ingress()
    console: Console = Console()
    notices: Notices = Notices()

    @model_validator(mode="before")
    @classmethod
    def _passwords_in_urls(cls, data: dict[str, Any]) -> dict[str, Any]:
        merged = dict(data)
        for store in ("redis", "broker"):
            password, url = _plain(data.get(f"{store}_password")), _plain(data.get(f"{store}_url"))
            if isinstance(password, str) and password and isinstance(url, str) and url:
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

    @model_validator(mode="after")
    def _usable(self, info: ValidationInfo) -> Settings:
        role: Role = (info.context or {}).get("role", "worker")
        faults = [*self._missing(role), *(f"PARLEY_{fault}" for fault in budgets.faults(self._parts()))]
        if self.store_address.kind == "cluster" and self.broker_url is None:
            faults.append(
                "PARLEY_BROKER_URL is missing: the store is a Redis Cluster, which Celery cannot use as broker; "
                "give a single Redis, Sentinel or RabbitMQ for the doorbells"
            )
        faults += self._tests_on_a_real_channel()
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _tests_on_a_real_channel(self) -> list[str]:
        if self.captivate.environment != "prod":
            return []
        return [
            f"PARLEY_PERSONAS__{name.upper()}__MODE is {persona.mode}, and PARLEY_CAPTIVATE__ENVIRONMENT is prod: "
            "a persona that is only tried out must not reach real leads; use live, or dev"
            for name, persona in self.personas.items()
            if persona.mode != "live"
        ]

    def _missing(self, role: Role) -> list[str]:
        target = self.captivate
        faults = absent(role, personas=bool(self.personas), destination=bool(target.environment or target.base_url))
        for name, persona in self.personas.items() if role == "worker" else ():
            variable = f"PARLEY_PERSONAS__{name.upper()}__API_KEY"
            if persona.api_key is None:
                faults.append(f"{variable} is missing: set the persona's FluidTalk key (ft_sk_... or ftc_...)")
            elif self._is_demo(persona.api_key):
                faults.append(
                    f"{variable} is a key of the demo, which only simulated upstreams know: "
                    "put the persona's own in its place, or set PARLEY_FLUIDTALK__BASE_URL to the simulated one"
                )
        return faults

    def _is_demo(self, key: SecretStr) -> bool:
        real = self.fluidtalk.base_url == FluidTalk().base_url
        return real and key.get_secret_value().startswith(_DEMO_KEYS)

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
            frequency=self.frequency,
            upstreams={"FLUIDTALK": self.fluidtalk, "CAPTIVATE": self.captivate},
            joins={"": self.join} | {places[name]: self.join_of(name) for name, each in own if each.join},
            pacings={"": self.pacing} | {places[name]: self.pacing_of(name) for name, each in own if each.pacing},
            cadences={"": self.follow_ups}
            | {places[name]: self.follow_ups_of(name) for name, each in own if each.follow_ups},
            windows={"": self.messaging_windows}
            | {places[name]: self.messaging_windows_of(name) for name, each in own if each.messaging_windows},
            takeovers={places[name]: each.takeover for name, each in own},
        )

    @property
    def role(self) -> Role:
        """The process for which these settings were loaded."""
        return self._role

    @property
    def key_origins(self) -> Mapping[str, str]:
        """Where each persona's API key was found, as text for people; never the key."""
        return self._key_origins

    def api_key_of(self, persona: str) -> str:
        """The key of one persona. Raises ``SettingsError`` when these settings were loaded without keys."""
        key = self.personas[persona].api_key
        if key is None:
            raise SettingsError(f"these settings were loaded without keys, for a {self.role}")
        return key.get_secret_value()

    @property
    def broker(self) -> str:
        """The broker's URL, by default the store's."""
        return (self.broker_url or self.redis_url).get_secret_value()

    @property
    def store_address(self) -> Address:
        """The store's URL, parsed."""
        return addresses.parse(self.redis_url.get_secret_value())

    @property
    def broker_address(self) -> Address:
        """The broker's URL, parsed."""
        return addresses.parse(self.broker)

    @property
    def doorbells_in_store(self) -> bool:
        """Whether broker and store are the same Redis database, so that a script can send doorbells."""
        return self.broker_url is None or self.broker_url == self.redis_url

    def join_of(self, persona: str) -> Join:
        """The joining rules of one persona."""
        own = self.personas[persona].join
        return self.join.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.join

    def pacing_of(self, persona: str) -> Pacing:
        """The pacing of one persona's bubbles."""
        own = self.personas[persona].pacing
        return self.pacing.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.pacing

    def consent_of(self, persona: str) -> Consent:
        """The rules about consent of one persona."""
        own = self.personas[persona].consent
        return self.consent.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.consent

    @property
    def consent_rules(self) -> dict[str, Consent]:
        """The rules about consent of each persona."""
        return {name: self.consent_of(name) for name in self.personas}

    @property
    def consent_key(self) -> SecretStr | None:
        """The key of the hashes by which an erased lead stays opted out; None = there is none."""
        return self.consent.hash_key or self.privacy.handle_key

    def follow_ups_of(self, persona: str) -> FollowUps:
        """The cadence of one persona."""
        own = self.personas[persona].follow_ups
        update = own.model_dump(exclude_unset=True) if own else {}
        if self.personas[persona].speaks == "characters":
            # Its follow-ups are written by FluidTalk, which knows no caps.
            update["delays_seconds"] = ()
        return self.follow_ups.model_copy(update=update)

    def quiet_hours_of(self, persona: str) -> QuietHours:
        """The quiet hours of one persona."""
        own = self.personas[persona].quiet_hours
        return self.quiet_hours.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.quiet_hours

    def messaging_windows_of(self, persona: str) -> MessagingWindows:
        """Until when one persona may write first. Of ``hours`` it may name some channels only."""
        own, general = self.personas[persona].messaging_windows, self.messaging_windows
        if own is None:
            return general
        named = {"hours": {**general.hours, **own.hours}}
        return general.model_copy(update=own.model_dump(exclude_unset=True) | named)


def absent(role: Role, *, personas: bool, destination: bool) -> list[str]:
    """What a process of this role requires and does not have: a sentence for each."""
    faults = []
    if not personas and role != "scheduler":
        faults.append(
            "no persona is configured: set PARLEY_PERSONAS__<NAME>__API_KEY for each, or PARLEY_PERSONAS_FILE "
            "(a producer needs their names only: PARLEY_PERSONAS=ava,bea)"
        )
    if not destination and role == "worker":
        faults.append(
            "PARLEY_CAPTIVATE__ENVIRONMENT is missing: set PARLEY_CAPTIVATE__ENVIRONMENT to dev or prod "
            "(there is no default, a guess would send answers to the wrong place)"
        )
    return faults


def load(env_file: str | Path | None = ".env", *, role: Role = "worker", **overrides: Any) -> Settings:
    """Read and check all settings.

    ``env_file``: the file to read besides the environment; None = only the environment.
    ``role``: the process that loads them. A ``worker`` (also the command ``parley``) requires all. A ``producer``
    requires the store and the names of the personas, ``web`` (the ingress) likewise, a ``scheduler`` (also Flower and
    health checks) the store. Only the role ``worker`` reads API keys, only ``web`` the sources of the ingress and the
    endpoints of notices.
    ``overrides``: top-level fields that take precedence over all else (for tests and the demo).
    Raises ``SettingsError`` with one line for each fault: the variable, where it is, the reason, what to do.
    """
    read = variables.read(Path(env_file) if env_file else None, keys=role == "worker", sources=role == "web")
    tree = variables.tree(read)
    if role != "web":
        tree |= _without_secrets_of_web(tree)
    given = _merged(tree, overrides)
    file = str(found) if isinstance(found := given.get("personas_file"), str | Path) else ""
    personas = _personas_of(file, needed=role != "scheduler") if file else {}
    refusal = Refusal(Settings, read, personas, file)
    unknown = [
        f"{each.name.upper()} ({each.origin}): {refusal.unknown(name)}"
        for name, each in read.items()
        if name.partition("__")[0] not in Settings.model_fields
    ]
    if unknown:
        given = {name: value for name, value in given.items() if name in Settings.model_fields or name in overrides}
    own = _object(given.get("personas") or {})
    merged = _merged(personas, own) if isinstance(own, dict) else own
    if role != "worker" and isinstance(merged, dict):
        merged = {name: _without(persona, "api_key") for name, persona in merged.items()}
    try:
        settings = Settings.model_validate({**given, "personas": merged} if merged else given, context={"role": role})
    except ValidationError as error:
        lines = [*unknown, *refusal.lines(error)]
        if all(fault["loc"] for fault in error.errors()):
            # What the tree as a whole lacks is looked at only when its parts are in order.
            lines += absent(role, personas=bool(merged), destination=bool(given.get("captivate")))
        raise SettingsError(variables.told(lines)) from None
    if unknown:
        raise SettingsError(variables.told(unknown))
    settings._role = role
    settings._key_origins = _origins(settings, refusal, personas, own)
    return settings


def _without_secrets_of_web(tree: Mapping[str, Any]) -> dict[str, Any]:
    left = {name: _object(tree[name]) for name in ("ingress", "notices") if name in tree}
    if "ingress" in left:
        left["ingress"] = _without(left["ingress"], "sources")
    if isinstance(left.get("notices"), dict) and left["notices"].get("endpoints"):
        left["notices"] = {**_without(left["notices"], "endpoints"), "keep": True}
    return left


def _origins(settings: Settings, refusal: Refusal, file: Mapping[str, Any], own: Any) -> dict[str, str]:
    found = {}
    for name, persona in settings.personas.items():
        if persona.api_key is None:
            continue
        found[name] = refusal.origin_of(["personas", name, "api_key"]) or "the program"
        second = _key_in(file.get(name))
        if second and _key_in((own or {}).get(name)) not in (None, second):
            found[name] += f" (another one in {settings.personas_file} is not used)"
    return found


def _key_in(persona: Any) -> Any:
    return _plain(persona.get("api_key")) if isinstance(persona, dict) else None


def _without(section: Any, name: str) -> Any:
    return {key: value for key, value in section.items() if key != name} if isinstance(section, dict) else section


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _object(value: Any) -> Any:
    try:
        return named(value)
    except ValueError:
        # Refused with the others, by its model.
        return value


def _personas_of(file: str, *, needed: bool) -> dict[str, Any]:
    # Few have such a file, and every command loads the settings.
    import tomllib

    try:
        return tomllib.loads(text_of(Path(file)))
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line \d+, column \d+|at end of document", str(error))
        said = f'{file} is not valid TOML{f" ({place[0]})" if place else ""}: write texts in quotes, NAME = "value"'
    except RecursionError:
        said = f"{file} is nested too deeply: write one table for each persona"
    except ValueError as error:
        if not needed:
            return {}
        said = f"personas file {error}"
    raise SettingsError(variables.told([f"PARLEY_PERSONAS_FILE: {said}"]))


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
