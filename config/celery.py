"""Settings to Celery options. Every default of Celery that is wrong for a reliable system is set here, with the reason.

Figures come from docs/decisions/0001-pool-and-broker.md.
"""

from __future__ import annotations

import ssl
from typing import Any

from config.addresses import Address
from config.sections import Tls
from config.settings import Settings, SettingsError, load

TURNS, OUTREACH, SCHEDULE = "turns", "outreach", "schedule"
# Not consumed by Celery: ``tasks.take_in`` reads it message by message.
ACCEPT = "accept"
# Where Celery puts what names no queue. Read like ``accept``, but only events are taken: others may use it, too.
NO_QUEUE = "celery"


def options(settings: Settings) -> dict[str, Any]:
    """All Celery options for these settings."""
    return {
        **_transport(settings),
        **_messages(settings),
        **_worker(settings),
        **_beat(settings),
    }


def __getattr__(name: str) -> dict[str, Any]:
    # Celery asks for "config.celery:celery_options" when it first needs a setting, not when the app is imported.
    if name != "celery_options":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        # A scheduler and Flower have no keys; a worker looks for its own when it starts (worker/celery.py).
        return options(load(role="scheduler"))
    except SettingsError as error:
        raise SystemExit(str(error)) from None


def connection(broker: Address, certificates: Tls) -> dict[str, Any]:
    """What ``kombu.Connection`` needs to reach the broker: ``hostname`` (a URL), ``ssl``, ``transport_options``."""
    tls = _tls(certificates, prefix="ssl_" if broker.over_redis else "") if broker.tls else False
    if not broker.over_redis:
        if isinstance(tls, dict):
            # None: the host of the URL is the name that the certificate must carry.
            tls["server_hostname"] = None
        # Without confirmation a message can disappear between publisher and queue without an error.
        return {"hostname": broker.url, "ssl": tls, "transport_options": {"confirm_publish": True}}
    options: dict[str, Any] = {
        # Doorbells may be lost, so kombu's emulated acknowledgements are not needed: 1 Redis command for each
        # message instead of 9, no second copy and no crash when a connection breaks.
        "ack_emulation": False,
        # One connection for each publisher that may publish at once, and some for the consumer.
        "max_connections": 100,
        # Without these a half-open connection is never noticed.
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 5,
        # Strictly in the order of `task_queues`, where kombu would take from each in turn.
        "queue_order_strategy": "priority",
        # Each queue is one list; kombu would make four of each and ask for all of them with every message.
        "priority_steps": [0],
    }
    if broker.kind != "sentinel":
        return {"hostname": broker.url, "ssl": tls, "transport_options": options}
    own = {"username": broker.sentinel_username, "password": broker.sentinel_password, "socket_timeout": 3}
    options |= {
        "master_name": broker.service,
        "sentinel_kwargs": {**own, **({"ssl": True, **tls} if isinstance(tls, dict) else {})},
    }
    return {"hostname": _sentinels(broker), "ssl": tls, "transport_options": options}


def queue_arguments(broker: Address) -> dict[str, str]:
    """How queues are declared there; two who declare one queue differently are refused by RabbitMQ."""
    # Replicated on several nodes, and on disk on each. Elsewhere there are no kinds of queues.
    return {"x-queue-type": "quorum"} if broker.kind == "amqp" else {}


def _tls(tls: Tls, prefix: str) -> dict[str, Any]:
    # Required explicitly: kombu's own default for rediss:// accepts any certificate.
    files = {"ca_certs": tls.ca_path, "certfile": tls.certificate_path, "keyfile": tls.key_path}
    given = {f"{prefix}{name}": str(path) for name, path in files.items() if path is not None}
    return {f"{prefix}cert_reqs": ssl.CERT_REQUIRED, **given}


def _sentinels(broker: Address) -> str:
    # Kombu wants a whole URL for each, and takes user and password of the master from the first one.
    login = broker.login()
    return ";".join(f"sentinel://{login}{host}:{port}/{broker.database}" for host, port in broker.hosts)


def _transport(settings: Settings) -> dict[str, Any]:
    broker = connection(settings.broker_address, settings.tls)
    return {
        "broker_url": broker["hostname"],
        "broker_use_ssl": broker["ssl"],
        "broker_transport_options": broker["transport_options"],
        # Only AMQP has heartbeats: a worker whose connection is half open finds out within a minute.
        "broker_heartbeat": 30,
        # A worker outlives its broker: keep trying for ever, also at start.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
    }


def _messages(settings: Settings) -> dict[str, Any]:
    arguments = queue_arguments(settings.broker_address)
    return {
        # JSON only: a pickle would let anyone who can write to the broker run code.
        "accept_content": ["json"],
        "task_serializer": "json",
        # Results off: the journal is the result; a backend would cost five commands a task and leak content.
        "task_ignore_result": True,
        "result_backend": None,
        # Early acknowledgement: the lease and the agenda recover, late acknowledgement would only double doorbells.
        "task_acks_late": False,
        # A misspelt name must not create a queue that no worker reads.
        "task_create_missing_queues": False,
        # In the order in which a worker takes from them: first the few messages of beat, on which all recovery depends,
        # then leads who wait, then campaigns.
        "task_queues": {name: _queue(name, arguments) for name in (SCHEDULE, TURNS, OUTREACH)},
        "task_default_queue": TURNS,
        "task_default_exchange": TURNS,
        "task_default_routing_key": TURNS,
        "task_routes": {
            "tasks.ring_due": {"queue": SCHEDULE},
            "tasks.take_in": {"queue": SCHEDULE},
            "tasks.plan_follow_ups": {"queue": SCHEDULE},
            "tasks.pull_follow_ups": {"queue": SCHEDULE},
            "tasks.trim": {"queue": SCHEDULE},
        },
    }


def _queue(name: str, arguments: dict[str, str]) -> dict[str, Any]:
    return {"exchange": name, "routing_key": name, **({"queue_arguments": arguments} if arguments else {})}


def _worker(settings: Settings) -> dict[str, Any]:
    return {
        # A message that Celery cannot make a request of would end one worker after the other.
        "worker_consumer": "worker.processes.consumer:CarefulConsumer",
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
        # In memory: the agenda has the state, so a beat stores nothing and several beats do no harm. It limits the
        # messages that wait while no worker runs. Celery's own way, `expires`, compares the clocks of two machines: a
        # worker whose clock is ahead would discard all that beat sends, and nothing would recover.
        "beat_scheduler": "worker.processes.scheduler:SteadyScheduler",
        "beat_max_loop_interval": tick,
        "beat_schedule": {
            # Sends for `tasks.take_in` and `tasks.plan_follow_ups` when there is work for them.
            "ring what is due": _every(tick, "tasks.ring_due"),
            "forget expired dead letters": _every(3600.0, "tasks.trim"),
        },
    }


def _every(seconds: float, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"queue": SCHEDULE}}
