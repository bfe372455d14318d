"""Ids of messages and leases, without asking the kernel for each.

``uuid.uuid4`` reads the kernel's random numbers, and lets go of the interpreter for it: under load another thread takes
over, and each turn paid for that twice. Here a process asks once, and a fork of it again. The ids are no secrets.
"""

from __future__ import annotations

import os
import random
import uuid

# Not the one of the module ``random``: programs give that the same seed in many processes.
_numbers = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_numbers.seed)


def new_name() -> str:
    """Twelve random hexadecimal digits: a name among those of one process."""
    return f"{_numbers.getrandbits(48):012x}"


def new_id() -> uuid.UUID:
    """A random UUID (version 4)."""
    return uuid.UUID(int=_numbers.getrandbits(128), version=4)
