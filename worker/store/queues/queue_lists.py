"""The names of the lists that are queues on a broker of the Redis family.

Kombu keeps messages with a priority in lists of their own, behind the name of the queue. Which priorities get one is up
to the sender (``priority_steps``); our own workers take from the first list only.
"""

from __future__ import annotations

from config.celery import ACCEPT, NO_QUEUE, OUTREACH, SCHEDULE, TURNS

# ``kombu.transport.redis.Channel.sep``
SEPARATOR = "\x06\x16"
_PRIORITIES = range(1, 10)


def _with_priority(queue: str) -> tuple[str, ...]:
    return tuple(f"{queue}{SEPARATOR}{priority}" for priority in _PRIORITIES)


# Of these all that lies there is Parley's, and it is read in this order.
EVENTS = (ACCEPT, *_with_priority(ACCEPT))
# Of these only events are taken: others may use the first one, and what a worker would do stays to be seen.
SHARED = (NO_QUEUE, *_with_priority(NO_QUEUE), *_with_priority(TURNS))
# What workers take from.
CONSUMED = (TURNS, OUTREACH, SCHEDULE)


def shown(name: str) -> str:
    """The name of a list as people read it."""
    queue, _, priority = name.partition(SEPARATOR)
    return f"{queue} (priority {priority})" if priority else queue
