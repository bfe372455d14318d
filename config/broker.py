"""Settings to Celery options. Every default of Celery that is wrong for a reliable system is set here, with the reason.

Figures come from docs/decisions/0001-pool-and-broker.md.
"""

from __future__ import annotations

from typing import Any

from config.settings import Settings, SettingsError, load

TURNS, OUTREACH, SCHEDULE = "turns", "outreach", "schedule"


def options(settings: Settings) -> dict[str, Any]:
    """All Celery options for these settings."""
    return {
        "broker_url": settings.broker,
        **_transport(settings),
        **_messages(),
        **_worker(settings),
        **_beat(settings),
    }


def __getattr__(name: str) -> dict[str, Any]:
    # Celery asks for "config.broker:celery_options" when it first needs a setting, not when the app is imported.
    if name != "celery_options":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return options(load())
    except SettingsError as error:
        raise SystemExit(str(error)) from None


def _transport(settings: Settings) -> dict[str, Any]:
    over_redis = settings.broker.startswith(("redis", "sentinel"))
    return {
        "broker_transport_options": {
            # Doorbells may be lost, so nobody needs kombu's emulated acknowledgements: 1 Redis command for each
            # message instead of 9, no second copy and no crash when a connection breaks.
            "ack_emulation": False,
            # One connection for each publisher that may publish at once, and some for the consumer.
            "max_connections": 100,
            # Without these a half-open connection is never noticed.
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 5,
        }
        if over_redis
        else {"confirm_publish": True},
        # A worker outlives its broker: keep trying for ever, also at start.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
    }


def _messages() -> dict[str, Any]:
    return {
        # JSON only: a pickle in the broker would be code for whoever can write there.
        "accept_content": ["json"],
        "task_serializer": "json",
        # Results off: the journal is the result; a backend would cost five commands a task and leak content.
        "task_ignore_result": True,
        "result_backend": None,
        # Early acknowledgement: the lease and the agenda recover, late acknowledgement would only double doorbells.
        "task_acks_late": False,
        # A typing error must not make a queue that nobody reads.
        "task_create_missing_queues": False,
        "task_queues": {TURNS: _queue(TURNS), OUTREACH: _queue(OUTREACH), SCHEDULE: _queue(SCHEDULE)},
        "task_default_queue": TURNS,
        "task_default_exchange": TURNS,
        "task_default_routing_key": TURNS,
        "task_routes": {
            "tasks.ring_due": {"queue": SCHEDULE},
            "tasks.take_in": {"queue": SCHEDULE},
            "tasks.plan_follow_ups": {"queue": SCHEDULE},
            "tasks.trim": {"queue": SCHEDULE},
        },
    }


def _queue(name: str) -> dict[str, str]:
    return {"exchange": name, "routing_key": name}


def _worker(settings: Settings) -> dict[str, Any]:
    return {
        # A message that Celery cannot make a request of would end one worker after the other.
        "worker_consumer": "worker.celery:CarefulConsumer",
        # Hundreds of slow persona calls wait at once in one process, each in a thread.
        "worker_pool": "threads",
        "worker_concurrency": settings.worker.concurrency,
        # A process that hoards doorbells keeps the other processes idle.
        "worker_prefetch_multiplier": 1,
        # Our own logging: Celery's would print whole messages that it cannot read.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": settings.worker.task_events,
        "task_send_sent_event": False,
        "worker_disable_rate_limits": True,
        "task_store_errors_even_if_ignored": False,
    }


def _beat(settings: Settings) -> dict[str, Any]:
    tick = settings.agenda.tick_seconds
    return {
        # In memory: the agenda is the truth, so a beat has nothing to remember and several beats do no harm.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_max_loop_interval": tick,
        "beat_schedule": {
            # What waited while no worker ran is stale: `expires` lets the worker throw it away.
            "ring what is due": _every(tick, "tasks.ring_due", expires=max(5.0, 4 * tick)),
            # Only over Redis is that queue a list that can be read message by message.
            **(
                {"take in": _every(tick, "tasks.take_in", expires=max(5.0, 4 * tick))}
                if settings.doorbells_in_store
                else {}
            ),
            "dispatch follow-ups": _every(max(1.0, tick), "tasks.plan_follow_ups", expires=10.0),
            "forget expired dead letters": _every(3600.0, "tasks.trim", expires=600.0),
        },
    }


def _every(seconds: float, task: str, *, expires: float) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"queue": SCHEDULE, "expires": expires}}
