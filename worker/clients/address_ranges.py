"""Which addresses a stranger's link may lead to. Pure: nothing is looked up here.

Two rules. An address is *public* when it is one of the internet at large. An address of *machine metadata* is where a
cloud hands out keys to every process inside: those are refused even where private addresses are allowed.
"""

from __future__ import annotations

import ipaddress

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# An IPv4 address as an IPv6-only network sees it.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
# Ranges that no stranger's link has business with and that ipaddress counts as global in some Python versions.
_NEVER = _networks("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
# Public by their number, and yet inside: Azure's machine host; the services of IBM Cloud.
_INSIDE = _networks("168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14")
_METADATA = _networks(
    "169.254.0.0/16",  # AWS, GCP, Azure, Oracle, IBM, DigitalOcean, Hetzner, OpenStack, Tencent, Scaleway and others
    "168.63.129.16/32",  # Azure
    "100.100.100.200/32",  # Alibaba
    "192.0.0.192/32",  # Oracle
    "fd00:ec2::/32",  # AWS
    "fd20:ce::/32",  # GCP
    "fd00:42::42/128",  # Scaleway
    "fd00:a9fe:a9fe::/48",  # Akamai
    "fe80::a9fe:a9fe/128",  # OpenStack
)
_METADATA_HOSTS = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "metadata.platformequinix.com",
        "metadata.packet.net",
        "api.metadata.cloud.ibm.com",
        "instance-data",
        "instance-data.ec2.internal",
    }
)


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address is one of the public internet: global, not multicast, not a disguise."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _TRANSLATED:
            return is_public(str(_last_four_bytes(ip)))
        if ip not in _GLOBAL_UNICAST:  # loopback, link-local, unique-local, IPv4-mapped, multicast and all unassigned
            return False
    if any(ip in network for network in (*_NEVER, *_INSIDE)):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def is_machine_metadata(address: str) -> bool:
    """Whether a cloud's metadata is behind an IPv4 or IPv6 address, in whichever form the address is written."""
    ip = ipaddress.ip_address(address)
    return any(form in network for form in (ip, *_hidden(ip)) for network in _METADATA)


def is_machine_metadata_host(host: str) -> bool:
    """Whether a host is one of the names of a cloud's metadata."""
    return host.rstrip(".").lower() in _METADATA_HOSTS


def _hidden(ip: _Address) -> list[_Address]:
    """The IPv4 addresses that an IPv6 address may lead to: mapped, compatible, translated, 6to4, Teredo."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    hidden = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if int(ip) >> 32 == 0 or ip in _TRANSLATED:
        hidden.append(_last_four_bytes(ip))
    return [found for found in hidden if found is not None]


def _last_four_bytes(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
