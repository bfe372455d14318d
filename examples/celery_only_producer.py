"""A producer without any code of Parley: plain Celery, one message to ``tasks.accept``.

Producers in other languages send the same message with their own Celery client (docs/producers.md shows it byte by
byte). Prefer ``worker.pipeline.producer.Producer`` where you can: here the text of the lead travels through the broker,
and no receipt tells what became of it.

    python examples/celery_only_producer.py --broker redis://127.0.0.1:6379/0 --persona ava --target @john_doe \\
        --session-id s-1 --message "hey, saw your post!"
"""

from __future__ import annotations

import argparse
import uuid
from typing import Any

from celery import Celery


def send(broker: str, event: dict[str, Any], message_id: str) -> None:
    """Send one event. ``message_id`` is also the id of the event; the same one again is recognised as a duplicate.

    Raises ``kombu.exceptions.OperationalError`` when the broker is unreachable; then the message may or may not have
    arrived: send it again with the same ``message_id``.
    """
    with Celery(broker=broker, set_as_current=False) as app:
        # On RabbitMQ, which refuses a queue that two declare differently; elsewhere both mean nothing.
        app.conf.task_create_missing_queue_type = "quorum"
        app.conf.broker_transport_options = {"confirm_publish": True} if broker.startswith("amqp") else {}
        app.send_task(
            "tasks.accept",
            args=[event],
            queue="accept",
            task_id=message_id,
            ignore_result=True,
            # Without these Celery writes the text of the lead into the message's headers, where tools show it.
            argsrepr="-",
            kwargsrepr="-",
        )


def inbound_chat(arguments: argparse.Namespace) -> dict[str, Any]:
    """The event: what a lead wrote, and where the answer goes."""
    return {
        "kind": "inbound_chat",
        "persona": arguments.persona,
        "target": arguments.target,
        "message": arguments.message,
        "channel": {
            "session_id": arguments.session_id,
            "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}},
            "hasLivechat": False,
        },
    }


def main() -> None:
    """Send one message and print its id."""
    parser = argparse.ArgumentParser(description="Send one lead's message to Parley with plain Celery.")
    parser.add_argument("--broker", required=True, help="the broker's URL, the same as PARLEY_BROKER_URL of the worker")
    parser.add_argument("--persona", required=True, help="a persona that the worker is configured for")
    parser.add_argument("--target", required=True, help="the lead's handle, such as @john_doe")
    parser.add_argument("--message", required=True, help="what the lead wrote")
    parser.add_argument("--session-id", required=True, help="Captivate's session_id, where the answer goes")
    parser.add_argument("--message-id", default=str(uuid.uuid4()), help="default: a new one")
    arguments = parser.parse_args()
    send(arguments.broker, inbound_chat(arguments), arguments.message_id)
    print(arguments.message_id)


if __name__ == "__main__":
    main()
