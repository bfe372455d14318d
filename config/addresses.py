"""Where store and broker are: one URL for each, whatever kind of server stands behind it.

redis://[user:password@]host:port/0                        one server; unix:///path/to/socket likewise
redis+sentinel://[user:password@]host:port,host:port/0?service=NAME
                                                           the master that these Sentinels name; with
                                                           sentinel_username and sentinel_password for themselves
redis+cluster://[user:password@]host:port,host:port        a Redis Cluster, found by any of these nodes
rediss://, rediss+sentinel://, rediss+cluster://           the same over TLS
amqp://user:password@host:port/vhost, amqps://             RabbitMQ, as a broker only
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

Kind = Literal["redis", "sentinel", "cluster", "amqp", "other"]

_KINDS: dict[str, tuple[Kind, bool]] = {
    "redis": ("redis", False),
    "rediss": ("redis", True),
    "unix": ("redis", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
    "amqp": ("amqp", False),
    "amqps": ("amqp", True),
}
_PORTS: dict[Kind, int] = {"redis": 6379, "sentinel": 26379, "cluster": 6379, "amqp": 5672, "other": 0}
_OF_SENTINEL = {"service", "sentinel_username", "sentinel_password"}


@dataclass(frozen=True, slots=True)
class Address:
    """A store's or broker's URL, taken apart. ``service``: the name that Sentinel gives the master."""

    kind: Kind
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    path: str
    username: str | None = field(default=None, repr=False)
    service: str = ""
    sentinel_username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    url: str = field(default="", repr=False)

    @property
    def over_redis(self) -> bool:
        """Whether a server of the Redis family answers there."""
        return self.kind in ("redis", "sentinel", "cluster")

    @property
    def database(self) -> int:
        """The number of the Redis database."""
        return int(self.path or "0")

    @property
    def shown(self) -> str:
        """The place for logs and findings, without user, password or options."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        if self.kind == "cluster":
            return f"{hosts} (cluster)"
        path = "0" if self.kind in ("redis", "sentinel") and not self.path else self.path
        place = f"{hosts}/{path}"
        return f"{place} (master {self.service})" if self.kind == "sentinel" else place

    def login(self) -> str:
        """``user:password@`` for a URL, quoted; empty when there is none."""
        if not self.username and not self.password:
            return ""
        return f"{quote(self.username or '', safe='')}:{quote(self.password or '', safe='')}@"


def parse(url: str) -> Address:
    """Take a URL apart. Raises ``ValueError`` with a sentence that quotes nothing of the URL but its scheme."""
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise ValueError("not a URL: it must begin like redis://host:6379/0")
    if scheme in ("sentinel", "sentinels"):
        raise ValueError("for Sentinel write redis+sentinel://host:26379,host:26379/0?service=NAME (rediss+ for TLS)")
    kind, tls = _KINDS.get(scheme, ("other", False))
    parts, hosts = _without_hosts(url)
    if "@" in parts.query or "@" in parts.fragment:
        # What looks like an option is a part of the password then.
        raise ValueError("a ? or # in user or password must be written %3F or %23")
    options = dict(parse_qsl(parts.query))
    if any(name.startswith("ssl") for name in options):
        raise ValueError("options ssl_... do not belong into the URL: set PARLEY_TLS__CA_PATH and its siblings")
    address = Address(
        kind=kind,
        tls=tls,
        hosts=() if scheme == "unix" or kind == "other" else _hosts(hosts, _default_port(kind, tls)),
        path=unquote(parts.path).removeprefix("/") if scheme != "unix" else parts.path[1:],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        service=options.get("service", ""),
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        url=url,
    )
    _check(address, options)
    return address


def _check(address: Address, options: dict[str, str]) -> None:
    if address.kind in ("redis", "amqp") and set(options) - (set() if address.hosts else {"db"}):
        raise ValueError("options behind a ? are not taken here: remove them; the number of a database is written /2")
    of_kind = _OF_SENTINEL if address.kind == "sentinel" else set()
    if address.kind in ("sentinel", "cluster") and (unknown := set(options) - of_kind):
        raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
    number = address.path if address.over_redis and address.hosts else options.get("db", "")
    if number and not (number.isascii() and number.isdecimal()):
        where = "after the hosts" if address.hosts else "behind ?db="
        raise ValueError(f"what stands {where} must be the number of a database, such as 0")
    if address.kind == "sentinel" and not address.service:
        raise ValueError("the name of the master is missing: add ?service=NAME, as in sentinel monitor NAME ...")
    if address.kind == "cluster" and address.database:
        raise ValueError("a Redis Cluster has only database 0")


def _without_hosts(url: str) -> tuple[SplitResult, str]:
    # Newer versions of Python refuse a URL with anything before a bracket, such as another host.
    scheme, _, rest = url.partition("://")
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    login, at, hosts = place.rpartition("@")
    try:
        return urlsplit(f"{scheme}://{login}{at}{rest.removeprefix(place)}"), hosts
    except ValueError:
        raise ValueError("user and password must be written with % for what is no letter or digit: %5B for [") from None


def _hosts(hosts: str, default_port: int) -> tuple[tuple[str, int], ...]:
    found = []
    for place in hosts.split(","):
        # One host at a time: urlsplit knows brackets of IPv6 and checks the port.
        try:
            one = urlsplit(f"//{place}")
        except ValueError:
            raise ValueError("a host in it is none: an IPv6 address is written like [::1]:6379") from None
        try:
            port = one.port
        except ValueError:
            raise ValueError("a port in it is not a number between 0 and 65535") from None
        found.append((one.hostname or "localhost", port or default_port))
    return tuple(found)


def _default_port(kind: Kind, tls: bool) -> int:
    return 5671 if kind == "amqp" and tls else _PORTS[kind]
