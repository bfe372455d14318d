"""What beat runs. Any number of beats is safe."""

from __future__ import annotations

from celery import shared_task

from worker.bootstrap import parts


@shared_task(name="tasks.ring_due")
def ring_due() -> str:
    """Ring the doorbell of every conversation that is due."""
    return f"rang {parts().upkeep.ring_due()}"


@shared_task(name="tasks.take_in")
def take_in() -> str:
    """Accept what producers that only speak Celery have put into the queue ``accept``."""
    return f"took {parts().intake.take_in()}"


@shared_task(name="tasks.plan_follow_ups")
def plan_follow_ups() -> str:
    """Turn planned follow-ups that are due into events."""
    return f"dispatched {parts().upkeep.plan_follow_ups()}"


@shared_task(name="tasks.trim")
def trim() -> str:
    """Forget dead letters whose record has expired."""
    return f"forgot {parts().upkeep.trim()}"
