"""What Captivate posts to a chat endpoint becomes an event; the reply goes through its send API later."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from config.settings import Settings
from worker.adapters.captivate_leads import Leads
from worker.adapters.captivate_requests import empty_answer, from_captivate
from worker.domain.events import ChannelContext, InboundChat
from worker.domain.request_ids import fingerprint, id_of_key
from worker.pipeline.producer import Producer
from worker.store import Store, StoreError
from worker.web.problems import Problem
from worker.web.sending import Door
from worker.web.sources import Source


class Posted(NamedTuple):
    """A request as Captivate posts it: its JSON value. ``key``: what its header says it is; '' = nothing."""

    source: Source
    persona: str
    payload: object
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """``body``: what Captivate gets. ``receipt``: that of the event."""

    receipt: dict[str, Any]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Draft:
    """An event before the store is asked whose it is. ``seen``: the fingerprint of a request without an id; '' = it is
    never taken for a repetition."""

    source: Source
    event: InboundChat
    channel: ChannelContext
    seen: str


class CaptivateDoor:
    """Takes Captivate's requests."""

    def __init__(self, settings: Settings, store: Store, producer: Producer, door: Door) -> None:
        self._personas = settings.personas
        self._window_ms = round(settings.ingress.captivate.same_seconds * 1000)
        self._leads = Leads(settings.ingress.captivate, settings.privacy)
        self._store = store
        self._producer = producer
        self._door = door

    def many(self, posted: Sequence[Posted]) -> list[Answer | Problem]:
        """Accept what leads wrote, in this order. Returns an answer or a problem for each.

        It blocks, so it belongs into a thread. May raise ``StoreError``; then it is not known what was accepted.
        """
        made = self._door.each(self._draft, posted)
        drafts = [each for each in made if isinstance(each, _Draft)]
        outcomes = iter(self._accepted(drafts) if drafts else [])
        return [each if isinstance(each, Problem) else next(outcomes) for each in made]

    def _draft(self, posted: Posted) -> _Draft:
        source, persona, payload, key = posted
        source.check(persona, "inbound_chat")
        if persona not in self._personas:
            raise Problem("unknown-persona", "no persona of this name is configured", cause="persona_not_known")
        if not isinstance(payload, dict):
            raise Problem("refused", "a Captivate request is a JSON object", cause="invalid_event", field="event")
        # A target that nothing keeps, so that a request without a session is refused for that.
        target = self._leads.target_of(payload, self._personas[persona]) or "-"
        event_id = id_of_key(key) if key else _new_id()
        event = from_captivate(payload, persona=persona, target=target, event_id=event_id)
        assert event.channel is not None  # noqa: S101 - a Captivate request always brings one
        may_repeat = not key and self._window_ms
        return _Draft(source, event, event.channel, fingerprint(source.name, persona, payload) if may_repeat else "")

    def _accepted(self, drafts: Sequence[_Draft]) -> list[Answer | Problem]:
        ids = self._ids_of(drafts)
        kept = self._store.sessions.targets_of([(each.event.persona, each.channel.session_id) for each in drafts])
        events = [
            draft.event.model_copy(update={"event_id": event_id, "target": found.target or draft.event.target})
            for draft, event_id, found in zip(drafts, ids, kept, strict=True)
        ]
        outcomes = self._door.accept([(draft.source, event) for draft, event in zip(drafts, events, strict=True)])
        answers: list[Answer | Problem] = []
        new: list[tuple[str, InboundChat]] = []
        for draft, event, found, outcome in zip(drafts, events, kept, outcomes, strict=True):
            if isinstance(outcome, Problem):
                answers.append(outcome)
                continue
            answers.append(Answer(outcome, empty_answer(draft.channel)))
            if not found.is_fresh:
                new.append((draft.channel.session_id, event))
        self._keep(new)
        return answers

    def _ids_of(self, drafts: Sequence[_Draft]) -> list[str]:
        seen = [(each.seen, each.event.event_id) for each in drafts if each.seen]
        first = iter(self._store.repetitions.ids_of(seen, self._window_ms) if seen else [])
        return [next(first) if each.seen else each.event.event_id for each in drafts]

    def _keep(self, new: Sequence[tuple[str, InboundChat]]) -> None:
        # Only with an event that was accepted. Without it the next one of the session does it.
        if new:
            pairs = [(session_id, self._producer.conversation_of(event)) for session_id, event in new]
            with suppress(StoreError):
                self._store.sessions.keep(pairs)


def _new_id() -> str:
    return f"captivate-{uuid.uuid4().hex}"
