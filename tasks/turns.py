"""The doorbell, and the task for producers that only speak Celery."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from tasks.requests import Shown, shown
from worker.bootstrap import parts
from worker.domain.vocabulary import OUTREACH, TURNS
from worker.pipeline.turns import DeadLetter


class Turn(Task[Any, Any]):
    """A task whose arguments are shown as the settings say."""

    Request = "tasks.requests:RequestWithoutHandle"


class Accept(Task[Any, Any]):
    """A task whose arguments are never shown."""

    Request = "tasks.requests:RequestWithoutContent"


@shared_task(name="tasks.turn", bind=True, base=Turn, throws=(DeadLetter,))
def turn(self: Turn, persona: str, target: str) -> str | Shown:
    """Run one turn of the conversation if there is work and it may run now.

    Arguments and result have no content, so Flower can show them. Running it too often or too late only changes
    latency: the store keeps order and recovers.
    """
    # The queue it came from: not an argument, which a worker of an older release would refuse.
    came_from = (self.request.delivery_info or {}).get("routing_key")
    return shown(parts().turns.run(persona, target, OUTREACH if came_from == OUTREACH else TURNS))


@shared_task(name="tasks.accept", base=Accept)
def accept(message: str) -> str | Shown:
    """Accept the event of a message (docs/producers.md). ``message``: as ``processes.consumer`` hands it over, whole
    and unread, so that one reader reads all events, whatever queue they came by.

    An event that cannot be accepted becomes a dead letter with the reason, and Flower shows it as failed. The message
    carries content through the broker, and is only as durable as the broker keeps it; ``worker.Producer`` has neither
    limitation.
    """
    return shown(parts().intake.accept_message(message))
