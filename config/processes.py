"""The sections of the settings that say how processes run and what they show: worker, metrics, traces, dashboard.

All times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from config.placeholders import Secret
from config.values import Count, Seconds, Section


class Worker(Section):
    """How a worker runs. ``concurrency``: turns that may run at once in one process. ``outreach_share``: the largest
    share of them for openers and follow-ups, of all turns and of those of each persona. ``task_events``: send Celery's
    task events, which Flower shows.

    ``one_core``: keep the threads of a worker on one core, and move them together when that core is busy. A Python
    process cannot use more than one core, and loses half of it when its threads change cores. Run a worker for each
    core.

    ``store_wait_seconds``: how long a turn keeps a result while the store is unreachable. ``stuck_seconds``: a worker
    that runs no task for this time while doorbells wait ends itself. ``stop_seconds``: how long turns may continue
    after SIGTERM; then they are handed over to other workers at once, which may cost a second ask. The supervisor has
    to wait a little longer before it kills the process. ``require_durable_store``: refuse to start on a store that will
    lose events (no append-only file, or a policy that evicts). ``crash_at``: only for tests, the step at which the
    process kills itself (``worker/pipeline/failpoints.py``).
    """

    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 500
    outreach_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    task_events: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    one_core: bool = True
    store_wait_seconds: Seconds = 60.0
    stuck_seconds: Seconds = 240.0
    stop_seconds: Seconds = 10.0
    require_durable_store: bool = True
    crash_at: Annotated[str, StringConstraints(pattern=r"^[a-z ]+(:[1-9][0-9]*|@\S+)?$")] | None = None


class Metrics(Section):
    """The endpoint of each worker and scheduler: ``/metrics`` for Prometheus, ``/live`` and ``/ready`` for supervisors.

    It has no authentication, so it listens on loopback.

    ``port``: the first port that is tried; 0 = no endpoint. ``ports``: how many ports are tried, for several processes
    on one machine. ``measure_seconds``: how often a scheduler measures the store. ``patience_seconds``: a lead who
    waits longer than this needs an operator, whatever the reason: `parley status` and the alerts say so then.
    """

    address: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9540
    ports: Annotated[int, Field(ge=1, le=1000)] = 20
    measure_seconds: Annotated[float, Field(ge=0.001, le=3600)] = 15.0
    patience_seconds: Seconds = 60.0

    @model_validator(mode="after")
    def _ports_exist(self) -> Metrics:
        if self.port + self.ports - 1 > 65535:
            raise ValueError("port and ports reach beyond 65535: lower one of them")
        return self


class Tracing(Section):
    """Traces over OTLP, off without ``endpoint``. Needs the extra ``tracing``.

    ``ratio``: the share of turns that is traced, for events whose producer did not trace. For the others the producer
    has decided.
    """

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$")] | None = None
    ratio: Annotated[float, Field(ge=0, le=1)] = 1.0


def _path(text: str) -> str:
    path = text.strip("/")
    if path and not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", path):
        raise ValueError("a path such as /flower: letters, digits, - and _ between slashes, without host or query")
    return f"/{path}" if path else ""


class Flower(Section):
    """The dashboard (``make flower``). ``password`` has no default: without one Flower refuses to start.

    ``url_prefix``: the path below which a proxy shows it, such as ``/flower``. ``database``: the file that keeps its
    tasks, without content; one for each Flower. ``tasks_kept``: most tasks in it; the oldest are removed first.
    """

    address: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 5555
    user: Annotated[str, StringConstraints(pattern=r"^[^:\s]+$")] = "operator"
    password: Secret | None = None
    url_prefix: Annotated[str, AfterValidator(_path)] | None = None
    # Not where it was started: that is often the repository, and the file names leads.
    database: Path = Path("~/.local/state/parley/flower.db")
    tasks_kept: Count = 20_000
