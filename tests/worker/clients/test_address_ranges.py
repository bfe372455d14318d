"""What hands out the keys of a machine is known under every number and name."""

from __future__ import annotations

import pytest

from worker.clients.address_ranges import is_machine_metadata, is_machine_metadata_host, is_public

METADATA = [
    "169.254.169.254", "169.254.169.253", "169.254.170.2", "169.254.0.23", "169.254.42.42", "168.63.129.16",
    "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42",
    "fd00:a9fe:a9fe::1", "fe80::a9fe:a9fe", "fe80::a9fe:a9fe%1",
    "::ffff:169.254.169.254", "::ffff:168.63.129.16", "::169.254.169.254", "64:ff9b::a9fe:a9fe",
    "64:ff9b::168.63.129.16",
    "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "2001:0:808:808:0:0:5601:5601",
]  # fmt: skip
OTHERS = ["127.0.0.1", "10.0.0.1", "::1", "192.168.1.1", "100.64.0.1", "8.8.8.8", "168.63.129.17", "fd00::1", "fe80::1"]
INSIDE = ["168.63.129.16", "161.26.0.21", "166.9.1.1", "64:ff9b::a83f:8110", "100.100.100.200", "192.0.0.192"]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_known_and_not_public(address: str) -> None:
    assert is_machine_metadata(address)
    assert not is_public(address)


@pytest.mark.parametrize("address", OTHERS)
def test_other_addresses_are_no_metadata(address: str) -> None:
    assert not is_machine_metadata(address)


@pytest.mark.parametrize("address", INSIDE)
def test_what_only_a_cloud_itself_reaches_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("metadata.google.internal", True),
        ("METADATA.google.internal.", True),
        ("metadata", True),
        ("metadata.tencentyun.com", True),
        ("metadata.example.com", False),
        ("google.internal", False),
    ],
)
def test_metadata_is_known_by_name(host: str, known: bool) -> None:
    assert is_machine_metadata_host(host) is known
