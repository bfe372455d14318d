"""Which commands the user of the store may not use. Asked by trying them on a key that never exists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redis import Redis

from worker.store.redis.connection import StoreError
from worker.store.redis.server_facts import servers
from worker.store.redis.troubles import trouble_of

_NOT_PERMITTED = "NOPERM"


def is_refused(answer: object) -> bool:
    """Whether this is the error of a server that does not permit a command to its user."""
    return isinstance(answer, StoreError) and trouble_of(answer).code == _NOT_PERMITTED


def refused(redis: Redis, commands: Iterable[Sequence[str]]) -> list[int]:
    """The places of those that a server refuses to this user, in a cluster any master.

    ``commands``: with arguments that change nothing. Raises ``StoreError`` when a server cannot be reached.
    """
    asked = list(commands)
    places: set[int] = set()
    for server in servers(redis).values():
        with server.pipeline(transaction=False) as pipeline:
            for command in asked:
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
            answers = pipeline.execute(raise_on_error=False)
        # Rights are looked at first: neither what the key has to be nor where it belongs says anything of them.
        places.update(place for place, answer in enumerate(answers) if is_refused(answer))
    return sorted(places)
