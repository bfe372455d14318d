"""Made of worker/domain/events.py by make client: change it there."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from parley_client.errors import InvalidEvent
from parley_client.models import event_ids, event_parts
from parley_client.models.event_parts import MAX_FILENAME, told
from parley_client.models.json_values import json_part
from parley_client.models.odd_values import MAX_LINK, LeftOut, text_of
from parley_client.models.reader import Reader
from parley_client.models.unreadable import field_path

_ACCEPTED = {"accepted": True}

MAX_FIELDS = 64

MAX_ATTACHMENTS = MAX_DOCUMENTS = 50

MAX_LEFT_OUT = 20

_FAULTS_TOLD = 10

_KINDS = "inbound_chat, ai_opener, event_trigger, follow_up or money_event"

NOTHING_TO_ANSWER = "an inbound chat needs a message or an image: there is nothing to answer"

_SAYS = ("message", "image_url", "attachments", "documents")

Identifier = Annotated[str, StringConstraints(pattern=event_ids.PATTERN)]

PersonaName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

Platform = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]

Target = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]

Handle = Annotated[str, StringConstraints(min_length=1, max_length=256)]

WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=MAX_LINK)]


def _repair_value(value: object, info: ValidationInfo) -> object:
    if info.context is _ACCEPTED:
        # Repaired at the door, and a client looks at what it sends.
        return value
    # From 0: what 0.1.0 has accepted can be a level deeper than what a client builds.
    held, faults = json_part(value, first_level=0)
    if faults:
        raise ValueError(min(faults))
    return held


def _trace_position(value: object) -> object:
    # As the standard demands: an unreadable value counts as absent, and never refuses an event.
    readable = isinstance(value, str) and re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", value)
    return value if readable else None


def _at_most(most: int, what: str) -> BeforeValidator:
    """A limit for new events. An event that was accepted before the limit existed stays valid."""

    def check(value: object, info: ValidationInfo) -> object:
        if info.context is not _ACCEPTED and isinstance(value, str | list | tuple) and len(value) > most:
            raise ValueError(f"at most {most} {what}")
        return value

    return BeforeValidator(check)


def _exact(value: object) -> object:
    if isinstance(value, float):
        raise ValueError(f"a float is not exact: {_AN_AMOUNT}")
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < _DIGITS:
        value = f"{value:f}"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**_DIGITS:
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", value):
        raise ValueError(_AN_AMOUNT)
    return value


# The digits that every reader of JSON keeps of a number.
_DIGITS = 15

_AN_AMOUNT = 'give a text such as "19.90", a whole number or a Decimal, without sign, of at most 15 digits'

Amount = Annotated[Decimal, BeforeValidator(_exact), Field(max_digits=_DIGITS)]

Text = Annotated[str, BeforeValidator(_repair_value)]

TracePosition = Annotated[str | None, BeforeValidator(_trace_position)]

JsonObject = Annotated[dict[str, Any], BeforeValidator(_repair_value)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ChannelContext(BaseModel):
    """The Captivate side of a conversation: where an answer goes.

    ``session_id``: Captivate's id of the conversation. ``metadata``: the request's metadata object, kept whole.
    ``hasLivechat``: whether a person can take over. Other parts of a Captivate request are dropped. Parts of another
    type than documented are read if they have one clear meaning; otherwise they are left out and listed in
    ``left_out``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    session_id: Annotated[str, BeforeValidator(_repair_value), StringConstraints(min_length=1, max_length=1024)]
    metadata: JsonObject
    hasLivechat: bool = False  # noqa: N815 - Captivate's spelling, protocols.md 2.3

    # No private attribute of pydantic, which costs every event as much as a field. Only an instance that has left
    # something out has this in its own ``__dict__``.
    _left_out: ClassVar[tuple[LeftOut, ...]] = ()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What of it could not be used: documented names and reasons, never a value."""
        return self._left_out

    @model_validator(mode="wrap")
    @classmethod
    def _as_the_platform_meant_it(
        cls, value: Any, read: ModelWrapValidatorHandler[ChannelContext], info: ValidationInfo
    ) -> ChannelContext:
        if info.context is _ACCEPTED or not isinstance(value, dict):
            return read(value)
        left_out: list[LeftOut] = []
        context = _as_documented(read, value)
        if context is None:
            parts, left_out = _channel_parts(value)
            context = read(parts)
        if left_out:
            context.__dict__["_left_out"] = tuple(left_out[:MAX_LEFT_OUT])
        return context


class Attachment(_Value):
    """An image that came with a Captivate payload. Its link expires, so it is fetched and hosted before the call."""

    url: WebAddress
    filename: Annotated[Text | None, _at_most(MAX_FILENAME, "characters")] = None


class _EventBase(_Value):
    """``event_id``: the sender's id of what happened, by which repetitions are recognised (default: a new one).
    ``target``: the lead's handle. ``platform``: where the lead writes, for a persona of the Characters API (default:
    that of the persona); the target is then ``platform/handle``. ``channel``: optional when the conversation already
    has one.
    ``traceparent``: the sender's position in a trace (W3C Trace Context); an invalid one is left out.

    A link, a file name or a part of the channel that cannot be used is left out and listed in ``left_out``; the event
    is still accepted."""

    event_id: Identifier = Field(default_factory=lambda: uuid.uuid4().hex)
    persona: PersonaName
    target: Target
    platform: Platform | None = None
    channel: ChannelContext | None = None
    own_username: Handle | None = None
    traceparent: TracePosition = None

    # As in ``ChannelContext``.
    _left_out: ClassVar[tuple[LeftOut, ...]] = ()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the platform sent and cannot be used: names of fields and reasons, never a value. It is not stored with
        the event; the timeline has it."""
        return self._left_out

    @model_validator(mode="wrap")
    @classmethod
    def _as_the_platform_meant_it(cls, value: Any, read: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if info.context is _ACCEPTED or not isinstance(value, dict):
            return read(value)
        parts, left_out = event_parts.usable(value, _optional_fields(cls))
        if left_out and "message" in cls.model_fields and not any(map(parts.get, _SAYS)):
            raise ValueError(f"{NOTHING_TO_ANSWER} (left out: {told(left_out)})")
        event = read(parts)
        if of_channel := event.channel.left_out if event.channel else ():
            left_out += of_channel
        if left_out:
            event._leave_out(left_out)
        return event

    def _leave_out(self, left_out: Iterable[LeftOut]) -> None:
        self.__dict__["_left_out"] = tuple(dict.fromkeys(left_out))[:MAX_LEFT_OUT]

    @field_validator("event_id")
    @classmethod
    def _is_the_senders_own(cls, event_id: str, info: ValidationInfo) -> str:
        if info.context is not _ACCEPTED and event_ids.is_reserved(event_id):
            raise ValueError("Parley gives this id to an event or a letter itself: send the id of what happened")
        return event_id


class InboundChat(_EventBase):
    """The lead wrote. It needs a message, an image or both.

    ``documents``: the texts of documents that came with it. The persona gets them behind the message, if its setting
    ``DOCUMENTS`` says so; else they are left out."""

    kind: Literal["inbound_chat"] = "inbound_chat"
    message: Text = ""
    image_url: WebAddress | None = None
    attachments: Annotated[tuple[Attachment, ...], _at_most(MAX_ATTACHMENTS, "attachments")] = ()
    # None, not empty: what is None is not stored, and a worker of an older release does not know the field.
    documents: Annotated[tuple[Text, ...] | None, _at_most(MAX_DOCUMENTS, "documents")] = None

    @property
    def words(self) -> str:
        """What the persona gets to read: the message, then the documents."""
        return "\n".join(text for text in (self.message, *(self.documents or ())) if text)

    @model_validator(mode="after")
    def _says_something(self) -> InboundChat:
        if not self.words and not self.image_url and not self.attachments:
            raise ValueError(NOTHING_TO_ANSWER)
        if len(self.attachments) > 1 and len(self.event_id) > 240:
            raise ValueError("event_id: with several attachments at most 240 characters, each gets an id of its own")
        if self.image_url and self.attachments:
            raise ValueError("give image_url or attachments, not both: one call carries one image")
        return self


class AiOpener(_EventBase):
    """The persona writes first."""

    kind: Literal["ai_opener"] = "ai_opener"
    image_url: WebAddress | None = None


class EventTrigger(_EventBase):
    """Something happened on the platform. ``event_type`` must be an Event Trigger of the engine."""

    kind: Literal["event_trigger"] = "event_trigger"
    event_type: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    context: JsonObject = Field(default_factory=dict)
    image_url: WebAddress | None = None


class FollowUp(_EventBase):
    """Write again to a lead who has become quiet. It takes no image.

    ``not_before``: the earliest time, with its zone, at most ten years from now. A message of the lead before that time
    cancels it.
    """

    kind: Literal["follow_up"] = "follow_up"
    not_before: AwareDatetime | None = None


class MoneyEvent(_EventBase):
    """Money moved: the lead paid, or got it back. The persona is told, in order with the conversation; nothing is said
    to the lead. Only for personas of the Characters API.

    ``amount``: a ``Decimal``, an ``int`` or a text such as ``"19.90"``, without a sign: ``event_type`` says the
    direction. A ``float`` is refused, because it is not exact. ``currency``: three letters. ``raw``: what the payment
    service said, as a JSON object. ``external_event_id``: by which FluidTalk knows it when it is told twice; default:
    one made of the conversation and ``event_id``.
    """

    kind: Literal["money_event"] = "money_event"
    event_type: Literal["purchase", "refund", "chargeback"]
    amount: Amount | None = None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$")] | None = None
    raw: JsonObject | None = None
    external_event_id: Identifier | None = None


Event = Annotated[InboundChat | AiOpener | EventTrigger | FollowUp | MoneyEvent, Field(discriminator="kind")]

_EVENT: TypeAdapter[InboundChat | AiOpener | EventTrigger | FollowUp | MoneyEvent] = TypeAdapter(Event)


def parse(value: object) -> Event:
    """An event from a JSON-like object with ``kind``. Raises ``InvalidEvent`` naming the fields at fault."""
    if isinstance(value, dict) and len(value) > MAX_FIELDS:
        raise InvalidEvent(f"event: {len(value)} fields, at most {MAX_FIELDS}")
    try:
        return _EVENT.validate_python(value)
    except ValidationError as error:
        raise InvalidEvent(faults(error)) from None


def faults(error: ValidationError) -> str:
    """The faults of a validation as one line of field names and reasons, without any value; short enough to be stored
    and shown."""
    lines = []
    found = _errors(error)
    for fault in found[:_FAULTS_TOLD]:
        place = field_path(fault["loc"]) or "event"
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
            place, message = "kind", f"must be {_KINDS}"
        lines.append(f"{place}: {message}")
    if len(found) > _FAULTS_TOLD:
        lines.append(f"and {len(found) - _FAULTS_TOLD} more")
    return "; ".join(lines)


def _errors(error: ValidationError, *, of_stored: bool = False) -> list[Any]:
    return error.errors(include_input=False, include_url=False, include_context=of_stored)


@cache
def _optional_fields(model: type[BaseModel]) -> frozenset[str]:
    # null is no id: the event would get a new one, and a repetition would be taken for another event.
    return frozenset(name for name, field in model.model_fields.items() if not field.is_required()) - {
        "event_id",
        "kind",
    }


def _as_documented(read: ModelWrapValidatorHandler[ChannelContext], value: Any) -> ChannelContext | None:
    try:
        return read(value)
    except ValidationError:
        return None


def _channel_parts(value: dict[Any, Any]) -> tuple[dict[str, Any], list[LeftOut]]:
    reader = Reader()
    parts = {name: value[name] for name in ("session_id", "metadata") if name in value}
    if (text := text_of(parts.get("session_id"))) is not None:
        parts["session_id"] = text
    if "metadata" in parts:
        parts["metadata"] = reader.json_object(parts["metadata"], "metadata") or {}
    if (flag := reader.flag(value.get("hasLivechat"), "hasLivechat")) is not None:
        parts["hasLivechat"] = flag
    return parts, reader.left_out
