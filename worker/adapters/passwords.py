"""Passwords of operators, as argon2id hashes (RFC 9106, its second recommended set: 64 MiB, 3 passes, 4 lanes).

The package argon2-cffi is in the extra ``web``.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# As long as a person can type, and no work of minutes for a stranger's request.
SHORTEST, LONGEST = 12, 1000


def fault(password: str) -> str | None:
    """Why this cannot be a password, as a sentence; None = it can."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"A password has {SHORTEST} to {LONGEST} characters: a few words that do not belong together are good."
    return None


def can_hash() -> bool:
    """Whether the package is installed."""
    return find_spec("argon2") is not None


def hashed(password: str) -> str:
    """The hash of a password; another one each time. Needs the extra ``web``."""
    return _hasher().hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether a password has this hash. None or '': nobody has this name; it takes as long all the same,
    and is False."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    if len(password) > LONGEST:
        return False
    try:
        return _hasher().verify(password_hash or _nobody(), password) and bool(password_hash)
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody() -> str:
    return hashed("the password of nobody")
