"""What task events, Flower, logs and remote control are told of a task: its arguments as they may be shown, and how it
went. Celery itself calls each task that returned a success.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from celery import Task
from celery.worker.request import Request
from kombu.exceptions import OperationalError

from worker.bootstrap import handles
from worker.pipeline.told import State, Told
from worker.store import StoreError
from worker.store.queues.celery_messages import TASK

# No phrase has it. Between a state and its phrase on the way from the pool to the event.
_MARK = "\x1f"


@dataclass(frozen=True, repr=False, slots=True)
class Shown:
    """What a task returns that has not succeeded. Only its text reaches the process that publishes events."""

    told: Told

    def __repr__(self) -> str:
        return f"{self.told.state}{_MARK}{self.told}"


def shown(told: Told) -> str | Shown:
    """The return value of a task that ``told`` describes."""
    return told if told.state is State.SUCCEEDED else Shown(told)


class TellingRequest(Request):
    """A request whose events tell the state that its task returned: ``task-retried``, ``task-ignored`` (a state of our
    own) or ``task-failed`` in the place of ``task-succeeded``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # No task of ours reads custom headers; without this, Celery looks for them with a new set of names each time.
        self.request_dict.setdefault("headers", {})
        # The body has been read for this request, and the pool need not read it once more. One of protocol 1 is given
        # to this request as it was read.
        if self.content_type is not None:
            self._body, self._content_type, self._content_encoding = self.message.payload, None, None

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name for it
        """Celery's own hook: publish a task event."""
        event = type
        if event == "task-succeeded":
            state, mark, phrase = str(fields["result"]).partition(_MARK)
            if mark:
                event = f"task-{state}"
                del fields["result"]
                fields["exception" if state == State.FAILED else "result"] = phrase
        super().send_event(event, **fields)


class RequestWithoutContent(TellingRequest):
    """The arguments of this task are content, so task events, Flower, logs and remote control get a dash instead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr = self._kwargsrepr = "-"

    def info(self, safe: bool = False) -> Any:
        """What remote control shows of a running task."""
        return super().info(safe=True)


class RequestWithoutHandle(TellingRequest):
    """Task events, Flower, logs and remote control get the conversation as this worker's settings show it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if handles().hashed:
            found = self.args if len(self.args) == 2 else ("-", "-")
            self._argsrepr, self._kwargsrepr = handles().arguments(*map(str, found)), "{}"

    def info(self, safe: bool = False) -> Any:
        """What remote control shows of a running task."""
        return super().info(safe=True)


def show_refused(job: Task[Any, Any], refused: list[Told]) -> None:
    """Publish the task events of messages that ``job`` refused, which no worker received as tasks."""
    if not refused or not job.app.conf.worker_send_task_events:
        return
    # Only for those who watch: the letters are stored.
    with suppress(OperationalError, StoreError), job.app.events.default_dispatcher(job.request.hostname) as events:
        for told in refused:
            row = {"uuid": told.about or str(uuid.uuid4()), "name": TASK}
            events.send("task-received", args="-", kwargs="-", **row)
            events.send("task-failed", exception=str(told), **row)
