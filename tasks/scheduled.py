"""The tasks that beat sends, and those that ``ring_due`` sends when they have work. Any number of beats is safe.

They send no task events: several rows a second would hide the turns that an operator looks for in Flower. Only an event
that was refused has a row there.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

from celery import shared_task
from kombu.exceptions import OperationalError

from tasks.requests import show_refused
from worker.bootstrap import parts
from worker.pipeline.told import Told
from worker.store import StoreError
from worker.store.redis.troubles import Saying, trouble_of

_log = logging.getLogger("parley.upkeep")
_saying = Saying()

# A flood of refused events must not push the turns out of Flower's list.
_SHOWN_AT_ONCE = 100


def _or_next_time(job: Callable[[], str]) -> Callable[[], str]:
    # Beat sends the task again, and what was not done stays due. So this is no failure of the task.
    @functools.wraps(job)
    def run() -> str:
        try:
            done = job()
        except (StoreError, OperationalError) as error:
            trouble = trouble_of(error)
            if _saying.now(trouble):
                _log.warning("upkeep waits: store or broker %s", trouble.told("what is due stays due"))
            return f"left: store or broker {trouble.means}"
        _saying.over()
        return done

    return run


@shared_task(name="tasks.take_in", send_events=False)
@_or_next_time
def take_in() -> str:
    """Accept the events that producers which only speak Celery have sent to the queue ``accept``."""
    refused: list[Told] = []
    try:
        return f"took {parts().intake.take_in(refused.append)}"
    finally:
        show_refused(take_in, refused[-_SHOWN_AT_ONCE:])


@shared_task(name="tasks.plan_follow_ups", send_events=False)
@_or_next_time
def plan_follow_ups() -> str:
    """Turn planned follow-ups that are due into events."""
    return f"dispatched {parts().upkeep.plan_follow_ups()}"


@shared_task(name="tasks.pull_follow_ups", send_events=False)
@_or_next_time
def pull_follow_ups() -> str:
    """Pull the follow-ups that FluidTalk has written, and acknowledge those that are dealt with."""
    return f"accepted {parts().pulling.run()['accepted']}"


@shared_task(name="tasks.ring_due", send_events=False)
@_or_next_time
def ring_due() -> str:
    """Find what is due, send its doorbells, and send the tasks for other due work."""
    upkeep = parts().upkeep
    due = upkeep.look()
    # Sent before anything is claimed: when that fails, the next tick finds it all again.
    if due.accept:
        take_in.apply_async()
    if due.follow_ups:
        plan_follow_ups.apply_async()
    if parts().pulling.due():
        pull_follow_ups.apply_async()
    upkeep.ring_until_next_tick(due)
    return f"rang {upkeep.ring_due(due.shards)}"


@shared_task(name="tasks.trim", send_events=False)
@_or_next_time
def trim() -> str:
    """Remove dead letters whose record has expired."""
    return f"forgot {parts().upkeep.trim()}"
