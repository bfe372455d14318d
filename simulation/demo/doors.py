"""The two doors of the demo: the producer beside the store, and the ingress of a web process."""

from __future__ import annotations

from typing import Any

from simulation.ingress_client import IngressClient
from worker.domain.events import AiOpener, EventTrigger, InboundChat
from worker.domain.vocabulary import FATES
from worker.pipeline.producer import Producer

DemoEvent = InboundChat | AiOpener | EventTrigger


class Doors:
    """``accepted``: events that either door has accepted. ``receipts``: those that the ingress gave."""

    def __init__(self, producer: Producer, ingress: IngressClient) -> None:
        self._producer = producer
        self._ingress = ingress
        self.accepted = 0
        self.receipts: list[str] = []

    def enqueue(self, event: DemoEvent) -> None:
        """Through the producer. Raises ``redis.RedisError``, or a ``Refused``."""
        self._producer.enqueue(event)
        self.accepted += 1

    def post(self, event: DemoEvent) -> None:
        """Through the ingress. Raises ``IngressFailed``."""
        self._note(self._ingress.send(event))

    def post_captivate(self, persona: str, payload: dict[str, Any]) -> None:
        """Through the ingress, as Captivate. Raises ``IngressFailed``."""
        self._note(self._ingress.send_captivate(persona, payload))

    def ended(self) -> int:
        """How many events with a receipt have a fate, as the ingress tells. Raises ``IngressFailed``."""
        return sum(self._ingress.status(receipt) in FATES for receipt in self.receipts)

    def _note(self, receipt: str) -> None:
        self.receipts.append(receipt)
        self.accepted += 1
