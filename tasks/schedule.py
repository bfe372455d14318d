"""What beat runs, and what one look at the store finds to do. Any number of beats is safe.

They tell Flower nothing: several a second would bury the turns that an operator looks for.
"""

from __future__ import annotations

from celery import shared_task

from worker.bootstrap import parts


@shared_task(name="tasks.take_in", send_events=False)
def take_in() -> str:
    """Accept what producers that only speak Celery have put into the queue ``accept``."""
    return f"took {parts().intake.take_in()}"


@shared_task(name="tasks.plan_follow_ups", send_events=False)
def plan_follow_ups() -> str:
    """Turn planned follow-ups that are due into events."""
    return f"dispatched {parts().upkeep.plan_follow_ups()}"


@shared_task(name="tasks.ring_due", send_events=False)
def ring_due() -> str:
    """Look at what is due: ring the doorbells, and send for the other jobs if there is work for them."""
    upkeep = parts().upkeep
    due = upkeep.look()
    # Sent before anything is claimed: when that fails, the next tick finds it all again.
    if due.accept:
        take_in.apply_async()
    if due.follow_ups:
        plan_follow_ups.apply_async()
    upkeep.ring_until_next_tick(due)
    return f"rang {upkeep.ring_due(due.shards)}"


@shared_task(name="tasks.trim", send_events=False)
def trim() -> str:
    """Forget dead letters whose record has expired."""
    return f"forgot {parts().upkeep.trim()}"
