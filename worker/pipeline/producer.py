"""What producers use: it checks an event, stores it durably, and returns a receipt.

Importing this module starts nothing: no Celery, no connection, no file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from worker.domain.conversation import Conversation
from worker.domain.documents import with_documents
from worker.domain.events import AiOpener, EventTrigger, FollowUp, InboundChat, MoneyEvent, with_left_out
from worker.domain.platforms import LONGEST_TARGET, full_target, place_of, target_on
from worker.domain.refusals import InboxFull, InvalidEvent, MissingChannel, Refused, TooLarge, UnknownPersona
from worker.observability import tracing

if TYPE_CHECKING:
    from config.settings import Persona, Settings
    from worker.store import Store
    from worker.store.conversations.follow_ups import Scheduled
    from worker.store.conversations.inbox import Acceptance

AnyEvent = InboundChat | AiOpener | EventTrigger | FollowUp | MoneyEvent
SomeEvent = TypeVar("SomeEvent", bound=AnyEvent)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The event is in the store. ``position``: its place in the conversation's inbox, 1 = next; 0 = no longer waiting
    (a duplicate), or not yet (``scheduled``: a follow-up with ``not_before``)."""

    event_id: str
    status: Literal["accepted", "duplicate", "scheduled"]
    position: int


class Producer:
    """Enqueues events. Safe for threads. Opens its connections with the first call."""

    def __init__(self, settings: Settings, *, store: Store | None = None) -> None:
        # The store is loaded when the first producer is made, not with this module.
        from worker.adapters import captivate_requests
        from worker.store import Store

        self._answer_into = captivate_requests.conversation_of
        self._store = store or Store(settings, connections=10)
        self._owns_store = store is None
        # The caller has checked a store that it gives.
        self._ready: Callable[[], None] = self._store.layout.ensure if store is None else lambda: None
        self._personas = settings.personas
        self._limits = settings.limits

    def enqueue(self, event: AnyEvent) -> Receipt:
        """Accept one event. It will be answered in its order, or end with another fate and a reason.

        If the same ``event_id`` of the same conversation is enqueued again, until 7 days (by default) after the event
        ended, the receipt says ``duplicate`` and there is no second turn. An inbound chat with several attachments
        becomes one event for each; the receipt is that of the first. A ``FollowUp`` with ``not_before`` is scheduled,
        and replaces the follow-up that was planned for this conversation. It becomes an event when its time comes.

        Raises:
        - ``Refused``: nothing was accepted.
        - ``worker.store.StoreFull``: nothing was accepted, because the store is full. Enqueue the same event again when
          there is room.
        - another ``redis.RedisError``: it is not known whether the event was accepted. Enqueue the same event again.
        - ``config.settings.SettingsError``: the store was made with another number of shards.
        """
        if isinstance(event, FollowUp) and event.not_before is not None:
            event = self._checked(event)
            self._ready()
            return self._receipt(event, self._store.follow_ups.schedule(event))
        return self._accept(event)

    def enqueue_again(self, event: AnyEvent, letter_id: str) -> Receipt:
        """Accept the event of a letter that was refused, under an id that was made from the letter's; else ``enqueue``.

        Another event that happens to have that id is another event.
        """
        if isinstance(event, FollowUp) and event.not_before:
            return self.enqueue(event)
        return self._accept(event, f"replay {letter_id}")

    def enqueue_many(self, events: Sequence[AnyEvent]) -> list[Receipt | Refused]:
        """Accept events in the given order, most of them in one round trip. Returns one result for each: a receipt, or
        the refusal as a value.

        The order within a conversation is that of the sequence. Raises ``redis.RedisError`` and ``SettingsError`` as
        ``enqueue`` does.
        """
        self._ready()
        results: list[Receipt | Refused] = []
        batch: list[AnyEvent] = []

        def flush() -> None:
            acceptances = self._store.inbox.accept_many(batch) if batch else []
            results.extend(_or_refusal(self._receipt, *pair) for pair in zip(batch, acceptances, strict=True))
            batch.clear()

        for event in events:
            try:
                parts = self._parts(event)
            except Refused as refusal:
                flush()
                results.append(refusal)
                continue
            if len(parts) == 1 and not (isinstance(event, FollowUp) and event.not_before is not None):
                batch.append(parts[0])
                continue
            flush()
            results.append(_or_refusal(self.enqueue, event))
        flush()
        return results

    def conversation_of(self, event: AnyEvent) -> Conversation:
        """The conversation that an event goes to: its target with the platform, where the persona has one.

        Raises ``Refused`` as ``enqueue`` does for a persona that is not configured and a target that it cannot have.
        """
        event = self._of_its_persona(event)
        return Conversation(event.persona, event.target)

    def cancel_follow_up(self, persona: str, target: str) -> bool:
        """Drop the next follow-up of a conversation, planned or asked for. Returns False when there was none.

        A follow-up that has already become an event cannot be cancelled. The next delivered reply starts the cadence
        again. Raises ``redis.RedisError`` (not known: call again) and ``SettingsError`` as ``enqueue`` does.
        """
        self._ready()
        return self._store.follow_ups.cancel(Conversation(persona, target))

    def close(self) -> None:
        """Close the connections."""
        if self._owns_store:
            self._store.close()

    def __enter__(self) -> Producer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self, event: AnyEvent, derived_from: str = "") -> Receipt:
        first, *further = self._parts(event)
        self._ready()
        accepted = self._store.inbox.accept(first, room=1 + len(further), derived_from=derived_from)
        receipt = self._receipt(first, accepted)
        if further:
            # There was room for all of them, and events that came in between must not take it.
            self._store.inbox.accept_many(further, room=0, derived_from=first.event_id)
        return receipt

    def _parts(self, event: AnyEvent) -> list[AnyEvent]:
        event = self._checked(event)
        if event.traceparent is None and (position := tracing.position()):
            event = event.model_copy(update={"traceparent": position})
        return list(event.one_image_each()) if isinstance(event, InboundChat) else [event]

    def _checked(self, event: SomeEvent) -> SomeEvent:
        if not isinstance(event, AnyEvent):
            raise InvalidEvent(
                f"{type(event).__name__} is not an event: enqueue InboundChat, AiOpener, EventTrigger, FollowUp or "
                "MoneyEvent"
            )
        event = self._of_its_persona(event)
        if isinstance(event, InboundChat):
            most = self._limits.message_characters
            _within("message", len(event.message), most, "characters")
            wanted = self._personas[event.persona].documents == "as_text"
            event = cast(SomeEvent, with_documents(event, wanted=wanted, most_characters=most))
        if isinstance(event, EventTrigger):
            _within("context", _json_size(event.context), self._limits.context_bytes, "bytes of JSON")
        if isinstance(event, MoneyEvent):
            _within("raw", _json_size(event.raw), self._limits.context_bytes, "bytes of JSON")
        if event.channel:
            size = _json_size(event.channel.metadata) + len(event.channel.session_id)
            _within("channel", size, self._limits.channel_bytes, "bytes of JSON")
            if left_out := self._answer_into(event.channel).left_out:
                return with_left_out(event, [*event.left_out, *left_out])
        return event

    def _of_its_persona(self, event: SomeEvent) -> SomeEvent:
        if event.persona not in self._personas:
            known = ", ".join(sorted(self._personas))
            raise UnknownPersona(f"persona {event.persona!r} is not configured; known: {known}")
        return self._on_its_platform(event)

    def _on_its_platform(self, event: SomeEvent) -> SomeEvent:
        persona = self._personas[event.persona]
        if persona.speaks == "handshake":
            if event.platform is not None:
                raise InvalidEvent(
                    f"platform: persona {event.persona} has none (Handshake API): leave it out, or set "
                    f"PARLEY_PERSONAS__{event.persona.upper()}__PLATFORM in this process as well"
                )
            if event.kind == "money_event":
                raise InvalidEvent(
                    f"kind: persona {event.persona} has the Handshake API, which takes no purchases and refunds; a "
                    "persona of the Characters API does"
                )
            return event
        if event.kind == "follow_up":
            raise InvalidEvent(f"kind: follow-ups of persona {event.persona} are written by FluidTalk (Characters API)")
        if isinstance(event, EventTrigger) and event.event_type.strip().casefold() == "outreach":
            raise InvalidEvent(
                "event_type: outreach is how the Characters API opens a conversation: enqueue an AiOpener"
            )
        usual = persona.platform or ""
        target = target_on(event.platform, event.target) if event.platform else full_target(event.target, usual)
        if persona.separate_accounts:
            target = _on_its_account(event, target, persona)
        place = place_of(target, usual, separate_accounts=bool(persona.separate_accounts))
        if persona.mode != "live" and not place.handle.startswith("test_"):
            raise InvalidEvent(f"target: with MODE={persona.mode} a handle has to begin with test_")
        if len(target) > LONGEST_TARGET:
            raise InvalidEvent(
                f"target: with its platform it has {len(target)} characters, the limit is {LONGEST_TARGET}"
            )
        return cast(SomeEvent, event.model_copy(update={"target": target, "platform": None}))

    def _receipt(self, event: AnyEvent, acceptance: Acceptance | Scheduled) -> Receipt:
        match acceptance.status:
            case "accepted" | "duplicate" | "scheduled" as status:
                return Receipt(event.event_id, status, acceptance.position)
            case "no_channel":
                raise MissingChannel(
                    f"{event.persona} has no channel context for this target and the event brings none: "
                    "give channel= (session_id and metadata of the Captivate request)"
                )
            case "full":
                raise InboxFull(
                    f"{acceptance.position} events of this conversation wait already, the limit is "
                    f"{self._limits.inbox_events} (PARLEY_LIMITS__INBOX_EVENTS): try again when some are answered"
                )
            case "too_far":
                raise InvalidEvent("not_before: it is more than ten years from now: give an earlier time")
            case other:
                raise AssertionError(f"accept answered {other} to an event without a plan")


def _on_its_account(event: AnyEvent, target: str, persona: Persona) -> str:
    """The target with its account, which the target itself, the event or the persona names."""
    known = ", ".join(persona.separate_accounts)
    place = place_of(target, persona.platform or "", separate_accounts=True)
    account = place.account or event.own_username or persona.own_username
    if account is None:
        raise InvalidEvent(
            f"own_username: persona {event.persona} has separate accounts ({known}): name the one to which the lead "
            "writes, or set OWN_USERNAME of the persona"
        )
    if account not in persona.separate_accounts:
        where = "target" if place.account else "own_username"
        raise InvalidEvent(f"{where}: it names an account that persona {event.persona} does not have; known: {known}")
    if event.own_username not in (None, account):
        raise InvalidEvent(f"own_username: the target names the account {account}, and this is another one")
    return f"{place.platform}/{account}/{place.handle}"


def _or_refusal(call: Callable[..., Receipt], *arguments: Any) -> Receipt | Refused:
    try:
        return call(*arguments)
    except Refused as refusal:
        return refusal


def _within(part: str, size: int, limit: int, unit: str) -> None:
    if size > limit:
        raise TooLarge(f"{part} has {size} {unit}, the limit is {limit}: shorten it or raise PARLEY_LIMITS")


def _json_size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
