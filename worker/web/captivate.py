"""What Captivate posts to a chat endpoint becomes an event; the reply goes through its send API later."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from worker.adapters.captivate_requests import empty_answer, from_captivate
from worker.domain.events import InboundChat
from worker.domain.refusals import Refused
from worker.domain.request_ids import fingerprint
from worker.pipeline.producer import Producer
from worker.store import Store, StoreError
from worker.web.leads import Leads
from worker.web.problems import Problem, of_refusal
from worker.web.sending import Door
from worker.web.sources import Source


@dataclass(frozen=True, slots=True)
class Answer:
    """``body``: what Captivate gets. ``receipt``: that of the event."""

    receipt: dict[str, Any]
    body: dict[str, Any]


class CaptivateDoor:
    """Takes Captivate's requests. ``take`` blocks: it belongs into a thread, and it may raise ``StoreError``."""

    def __init__(self, settings: Settings, store: Store, producer: Producer, door: Door) -> None:
        self._personas = settings.personas
        self._window_ms = round(settings.ingress.captivate.same_seconds * 1000)
        self._leads = Leads(settings.ingress.captivate, settings.privacy)
        self._store = store
        self._producer = producer
        self._door = door

    def take(self, source: Source, persona: str, payload: object, key: str) -> Answer:
        """Accept what a lead wrote. ``key``: the id of the request, '' = it has none. Raises ``Problem``."""
        source.check(persona, "inbound_chat")
        if persona not in self._personas:
            raise Problem("unknown-persona", "no persona of this name is configured", cause="persona_not_known")
        if not isinstance(payload, dict):
            raise Problem("refused", "a Captivate request is a JSON object", cause="invalid_event", field="event")
        try:
            event, is_kept = self._event(source, persona, payload, key)
        except Refused as refusal:
            raise of_refusal(refusal) from None
        receipt = self._door.accept(source, event)
        assert event.channel is not None  # noqa: S101 - a Captivate request always brings one
        if not is_kept:
            self._keep(event, event.channel.session_id)
        return Answer(receipt, empty_answer(event.channel))

    def _event(self, source: Source, persona: str, payload: dict[str, Any], key: str) -> tuple[InboundChat, bool]:
        """The event, and whether its session is kept already."""
        # A target that nothing keeps, so that a request without a session is refused for that.
        target = self._leads.target_of(payload) or "-"
        event = from_captivate(payload, persona=persona, target=target, event_id=key or None)
        assert event.channel is not None  # noqa: S101 - as above
        kept = self._store.sessions.target_of(persona, event.channel.session_id)
        update = {} if kept.target is None else {"target": kept.target}
        if not key:
            update["event_id"] = self._id_of(source, persona, payload)
        return event.model_copy(update=update) if update else event, kept.is_fresh

    def _keep(self, event: InboundChat, session_id: str) -> None:
        # Only with an event that was accepted. Without it the next one of the session does it.
        with suppress(StoreError):
            self._store.sessions.keep(session_id, self._producer.conversation_of(event))

    def _id_of(self, source: Source, persona: str, payload: dict[str, Any]) -> str:
        proposed = f"captivate-{uuid.uuid4().hex}"
        seen = fingerprint(source.name, persona, payload) if self._window_ms else ""
        return self._store.repetitions.id_of(seen, proposed, self._window_ms) if seen else proposed
