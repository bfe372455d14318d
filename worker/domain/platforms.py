"""Where a lead of a Characters persona writes: its target is ``platform/handle``, because one handle can be two people,
or ``platform/account/handle``, where the accounts of the persona talk to a lead independently of each other.

Pure. Source: characters.md 8.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Characters of a target, with its platform and account.
LONGEST_TARGET = 256

_ON_A_PLATFORM = re.compile(r"([a-z0-9_-]{1,32})/(.+)", re.DOTALL)


class Place(NamedTuple):
    """A target taken apart. ``account``: None when it names none."""

    platform: str
    account: str | None
    handle: str


def names_platform(target: str) -> bool:
    """Whether a target names a platform."""
    return _ON_A_PLATFORM.fullmatch(target) is not None


def target_on(platform: str, target: str) -> str:
    """The target of a lead on a platform. One that names its platform already stays as it is."""
    return target if target.startswith(f"{platform}/") else f"{platform}/{target}"


def full_target(target: str, usual: str) -> str:
    """The target with its platform: ``usual`` when it names none."""
    return target if names_platform(target) else f"{usual}/{target}"


def platform_and_handle(target: str, usual: str) -> tuple[str, str]:
    """The two parts of a target; ``usual``: the platform of a target that names none."""
    found = _ON_A_PLATFORM.fullmatch(target)
    return (found[1], found[2]) if found else (usual, target)


def place_of(target: str, usual: str, *, separate_accounts: bool) -> Place:
    """All parts of a target. ``separate_accounts``: whether targets of this persona name an account."""
    platform, rest = platform_and_handle(target, usual)
    account, slash, handle = rest.partition("/")
    if separate_accounts and slash and account and handle:
        return Place(platform, account, handle)
    return Place(platform, None, rest)
