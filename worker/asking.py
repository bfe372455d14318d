"""Ask the persona once for a group of events: the image first, then the call."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from config.settings import Settings
from worker import crash_points, events
from worker.circuit import Circuit
from worker.events import AiOpener, Event, EventTrigger, FollowUp, InboundChat
from worker.fluidtalk import ActionResult, ChatResult, FluidTalk, FluidTalkError, OutcomeUnknown, Unavailable
from worker.images import FetchedImage, ImageError
from worker.observability import metrics
from worker.outcomes import Deliver, End, Rules, Wait, of_answer, of_ask_failure, of_image_failure
from worker.retrying import quickly
from worker.store import Store, StoreError
from worker.store.journal import Entry
from worker.store.leases import Gate, Grant

_log = logging.getLogger("parley.ask")


class LeaseLost(Exception):
    """Another turn may have taken over: start no further call."""


class FetchesImages(Protocol):
    """``worker.images.ImageFetcher``."""

    def fetch(self, url: str) -> FetchedImage: ...


class Asking:
    """The asking half of a turn. Shared by all turns of a process."""

    def __init__(
        self, settings: Settings, store: Store, personas: Mapping[str, FluidTalk], images: FetchesImages
    ) -> None:
        self._store = store
        self._personas = personas
        self._images = images
        self._circuit = Circuit(settings.gates.circuit_failures)
        self._quick_tries = settings.retry.quick_tries
        self._quick_pause_seconds = settings.retry.quick_pause_seconds
        self._jitter = random.Random()

    def knows(self, persona: str) -> bool:
        """Whether the persona is configured."""
        return persona in self._personas

    def ask(
        self, grant: Grant, rules: Rules, *, second: bool, probe: Gate | None, still_held: Callable[[], bool]
    ) -> Deliver | End | Wait:
        """Make the persona call of one turn and say what follows.

        ``probe``: the closed gate that this call probes. ``still_held`` is asked right before the call.
        Raises ``LeaseLost`` when it says no; ``redis.RedisError`` when the store is away before the call.
        """
        persona = grant.conversation.persona
        group = grant.events
        started_at = time.monotonic()
        image_url = self._image_url(grant, group, rules)
        if isinstance(image_url, End | Wait | Deliver):
            return image_url
        wait_seconds = self._store.personas.admit(grant.conversation, grant.token)
        if wait_seconds:
            self._make_no_call(persona, probe)
            return Wait(wait_seconds, "the key's own limit of calls", asked=False)
        try:
            if not still_held():
                self._make_no_call(persona, probe)
                raise LeaseLost
            crash_points.reached("before ask")
            result = quickly(
                lambda: _call(self._personas[persona], group, image_url),
                again_on=lambda error: isinstance(error, Unavailable) and error.status == 0,
                tries=self._quick_tries,
                pause_seconds=self._quick_pause_seconds,
            )
        except FluidTalkError as failure:
            if isinstance(failure, OutcomeUnknown):
                metrics.unknown(persona, grant.head.kind)
            self._learn(persona, failure, probe)
            decision = of_ask_failure(grant.head, failure, _now(grant, started_at), rules, self._jitter)
            if isinstance(decision, Wait) and decision.gate:
                _if_possible(self._close, persona, decision, probe)
            return decision
        finally:
            _if_possible(self._store.personas.release, grant.conversation, grant.token)
        crash_points.reached("after ask")
        self._reached(persona)
        if probe:
            _if_possible(self._store.personas.open_gate, persona, probe)
        return of_answer(grant.head.kind, result, second=second)

    def _image_url(self, grant: Grant, group: tuple[Event, ...], rules: Rules) -> str | Deliver | End | Wait | None:
        last, entry = group[-1], grant.entries[-1]
        if isinstance(last, FollowUp):
            return None
        if not isinstance(last, InboundChat) or not last.attachments:
            return last.image_url
        if entry.image_url:
            return entry.image_url
        started_at = time.monotonic()
        try:
            return self._host(grant, entry, last.attachments[0])
        except (ImageError, FluidTalkError) as failure:
            if isinstance(failure, OutcomeUnknown):
                metrics.unknown(grant.conversation.persona, "image")
            has_text = any(isinstance(event, InboundChat) and event.message for event in group)
            decision = of_image_failure(grant.head, failure, has_text, _now(grant, started_at), rules, self._jitter)
            if isinstance(decision, Wait) and decision.gate:
                _if_possible(self._close, grant.conversation.persona, decision, None)
            if decision is None:
                _log.warning("image left out: %s", failure, extra={"conversation": grant.conversation.name})
            return decision

    def _host(self, grant: Grant, entry: Entry, attachment: events.Attachment) -> str:
        image = self._images.fetch(attachment.url)
        filename = attachment.filename or image.filename
        image_url = self._personas[grant.conversation.persona].upload_image(data=image.data, filename=filename).url
        _if_possible(self._store.leases.keep_image, grant, entry.event_id, image_url)
        crash_points.reached("after hosting an image")
        return image_url

    def _make_no_call(self, persona: str, probe: Gate | None) -> None:
        if probe:
            _if_possible(self._store.personas.give_back_probe, persona, probe)

    def _learn(self, persona: str, failure: FluidTalkError, probe: Gate | None) -> None:
        if isinstance(failure, Unavailable | OutcomeUnknown):
            return
        self._reached(persona)
        if probe == "circuit":
            _if_possible(self._store.personas.open_gate, persona, probe)

    def _reached(self, persona: str) -> None:
        self._circuit.succeeded(persona)

    def _close(self, persona: str, wait: Wait, probe: Gate | None) -> None:
        personas = self._store.personas
        match wait.gate:
            case "quarantined":
                _log.error("persona quarantined: %s. Fix its key, then resume.", wait.reason, extra=_ids(persona))
                personas.quarantine(persona, wait.reason)
            case "hold":
                _log.warning("persona held for %.1f s: %s", wait.seconds, wait.reason, extra=_ids(persona))
                personas.hold(persona, wait.seconds, wait.reason)
            case "credits":
                _log.error("persona out of credits: conversations that would start wait", extra=_ids(persona))
                personas.close_for_probing(persona, "credits", wait.reason, probed=probe == "credits")
            case "circuit" if self._circuit.failed(persona) or probe == "circuit":
                _log.error("circuit open: %s", wait.reason, extra=_ids(persona))
                personas.close_for_probing(persona, "circuit", wait.reason, probed=probe == "circuit")


def _call(client: FluidTalk, group: tuple[Event, ...], image_url: str | None) -> ChatResult | ActionResult:
    event = group[-1]
    match event:
        case InboundChat():
            texts = [part.message for part in group if isinstance(part, InboundChat) and part.message]
            own_username = next((part.own_username for part in reversed(group) if part.own_username), None)
            return client.inbound_chat(event.target, "\n".join(texts), own_username=own_username, image_url=image_url)
        case AiOpener():
            return client.ai_opener(event.target, own_username=event.own_username, image_url=image_url)
        case EventTrigger():
            return client.event_trigger(
                event.target,
                event.event_type,
                event.context or None,
                own_username=event.own_username,
                image_url=image_url,
            )
        case FollowUp():
            return client.follow_up(event.target, own_username=event.own_username)


def _if_possible(call: Callable[..., object], *arguments: object) -> None:
    # What the persona answered must not be lost because the store is away while we note something beside it.
    try:
        call(*arguments)
    except StoreError as error:
        _log.warning("store away (%s): a gate, a limit or an image address was not noted", type(error).__name__)


def _now(grant: Grant, started_at: float) -> int:
    return grant.now + int((time.monotonic() - started_at) * 1000)


def _ids(persona: str) -> dict[str, str]:
    return {"persona": persona}
