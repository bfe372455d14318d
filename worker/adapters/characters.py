"""A persona behind FluidTalk's Characters API: events become calls; results and errors become the domain's words."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from worker.adapters.fluidtalk_failures import failure_of
from worker.adapters.quoting import repeats
from worker.clients.fluidtalk import Bubble, CharacterReply, Characters, Conflict, FluidTalkError, NotFound, Vision
from worker.clients.values.json_values import texts_in
from worker.domain import failures
from worker.domain.answer import Answer
from worker.domain.event_parts import LeftOut
from worker.domain.events import (
    AiOpener,
    EventTrigger,
    FollowUp,
    InboundChat,
    MoneyEvent,
    OperatorMessage,
    PulledFollowUp,
    StoredEvent,
)
from worker.domain.failures import CallFailed, Unsendable
from worker.domain.platforms import Place, place_of, platform_and_handle
from worker.domain.written import Written

OUTREACH = "outreach"

_OWNED_ELSEWHERE = "lead_claimed_by_other_account"
_REPEATED = "duplicate"
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Reasons of the contract: they say nothing of a lead, whatever the lead writes.
_DOCUMENTED = frozenset((_OWNED_ELSEWHERE, "duplicate_message", "plan_limit"))
# Fields of events with words of the lead, of the lead's profile, or of the producer about the lead.
_OF_THE_LEAD = {"message", "documents", "attachments", "image_url", "own_username", "context", "raw", "channel"}


class CharactersPersona:
    """One persona. ``platform``: of targets that name none. ``separate_accounts``: whether its targets name the
    account. ``told_of``: is called with the type of each platform event that the persona is told of, if it is a plain
    word. Safe for threads, as its client is.

    Each method makes one call and raises ``worker.domain.failures.CallFailed``, in the class that says what is known.
    """

    def __init__(
        self,
        client: Characters,
        persona: str,
        platform: str,
        own_username: str | None = None,
        *,
        separate_accounts: bool = False,
        told_of: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._key = client.token.encode()
        self._persona = persona
        self._platform = platform
        self._own_username = own_username
        self._separate_accounts = separate_accounts
        self._told_of = told_of

    def ask(self, group: tuple[StoredEvent, ...], image_url: str | None) -> Answer:
        """Ask once for events that are answered together; see ``Handshake.ask``. An opener, a trigger and a money event
        may be asked again: the server knows them by their ``external_event_id``."""
        try:
            if isinstance(group[-1], MoneyEvent):
                return self._tell(group[-1])
            reply = self._call(group, image_url)
            return _answer(reply, group[-1], lambda reason: _word(reason, self._told(group, image_url)))
        except FluidTalkError as error:
            raise _failure_of(error) from error

    def host(self, target: str, image: bytes, filename: str) -> str:
        """Host an image of a lead, on the platform on which the lead writes. Returns its address, to ask with."""
        platform, _ = platform_and_handle(target, self._platform)
        try:
            hosted = self._client.inbound_media(platform=platform, data=image, filename=filename)
        except FluidTalkError as error:
            raise _failure_of(error) from error
        return hosted.url or ""

    def try_out(self) -> None:
        """Make a call without consequences for any lead, to see whether the persona can be reached."""
        try:
            self._client.self_test(platform=self._platform)
        except FluidTalkError as error:
            raise _failure_of(error) from error

    def echo_of(self, group: tuple[StoredEvent, ...]) -> str:
        """A keyed digest of the words of chats: the server is silent when a lead repeats them."""
        words = _words(group)
        return hmac.digest(self._key, words.encode("utf-8", "surrogatepass"), "sha256").hex()[:16] if words else ""

    def written(self, platform: str, account: str | None, limit: int) -> list[Written]:
        """The follow-ups that FluidTalk has written for leads of a platform and that are not acknowledged, the oldest
        first, at most ``limit``. ``account``: only those of one account of the persona."""
        own_username = account or self._own_username
        try:
            found = self._client.followups.list(platform=platform, limit=limit, own_username=own_username)
        except FluidTalkError as error:
            raise _failure_of(error) from error
        return [Written(each.id, each.handle, tuple(each.bubbles), each.left_out) for each in found]

    def acknowledge(self, ref: str) -> None:
        """Tell FluidTalk that a follow-up is dealt with. One that it does not know (any more) is acknowledged, too."""
        try:
            self._client.followups.ack(ref)
        except FluidTalkError as error:
            if isinstance(error, NotFound | Conflict) and not error.foreign:
                return
            raise _failure_of(error) from error

    def sweep(self, platform: str, idle_hours: float | None, limit: int) -> None:
        """Have FluidTalk look for quiet leads of a platform and write to at most ``limit`` of them, which costs. Not to
        be repeated."""
        try:
            self._client.followups.sweep(platform=platform, idle_hours=idle_hours, limit=limit)
        except FluidTalkError as error:
            raise _failure_of(error) from error

    def _call(self, group: tuple[StoredEvent, ...], image_url: str | None) -> CharacterReply:
        event = group[-1]
        place = self._place(event)
        named = next((part.own_username for part in reversed(group) if part.own_username), None)
        own_username = place.account or named or self._own_username
        match event:
            case InboundChat():
                return self._client.chat(
                    platform=place.platform,
                    handle=place.handle,
                    message=_words(group),
                    image_url=image_url,
                    own_username=own_username,
                )
            case AiOpener() | EventTrigger():
                event_id, context = OUTREACH, None
                if isinstance(event, EventTrigger):
                    event_id, context = event.event_type, event.context or None
                    if self._told_of and _WORD.fullmatch(event_id):
                        self._told_of(event_id)
                return self._client.trigger(
                    platform=place.platform,
                    handle=place.handle,
                    event_id=event_id,
                    external_event_id=self._external_id(event),
                    context=context,
                    image_url=image_url,
                    own_username=own_username,
                )
            case FollowUp():
                raise Unsendable("the Characters API has no follow-up on demand: FluidTalk writes them itself")
            case PulledFollowUp() | OperatorMessage():
                raise Unsendable("it is written already: nothing is asked for it")
            case MoneyEvent():
                raise Unsendable("money events are told, and not answered")

    def _tell(self, event: MoneyEvent) -> Answer:
        place = self._place(event)
        try:
            self._client.event(
                platform=place.platform,
                handle=place.handle,
                external_event_id=event.external_event_id or self._external_id(event),
                event_type=event.event_type,
                amount=None if event.amount is None else _number(event.amount),
                currency=event.currency,
                raw=event.raw,
            )
        except FluidTalkError as error:
            raise _failure_of_telling(error) from error
        return Answer()

    def _told(self, group: tuple[StoredEvent, ...], image_url: str | None) -> Iterator[str]:
        """What FluidTalk knows of the lead from us, or could from the lead's profile on the channel."""
        place = self._place(group[-1])
        yield from filter(None, (place.handle, place.account, self._own_username, _words(group), image_url))
        for part in group:
            yield from texts_in(part.model_dump(include=_OF_THE_LEAD))

    def _place(self, event: StoredEvent) -> Place:
        return place_of(event.target, self._platform, separate_accounts=self._separate_accounts)

    def _external_id(self, event: AiOpener | EventTrigger | MoneyEvent) -> str:
        # The same at each try; two leads may have one event_id, and its longest length is not known.
        name = f"{self._persona}:{event.target} {event.event_id}"
        return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _number(amount: Decimal) -> float:
    # As JSON has it. An event has no more digits than a number keeps.
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _words(group: tuple[StoredEvent, ...]) -> str:
    return "\n".join(part.words for part in group if isinstance(part, InboundChat) and part.words)


def _failure_of(error: FluidTalkError) -> CallFailed:
    failure = failure_of(error)
    if isinstance(failure, failures.Unavailable | failures.OutcomeUnknown):
        return failure
    if isinstance(error, NotFound):
        return _as(failures.Rejected, failure)
    if isinstance(error, Conflict):
        # Of a repeat: the first call may still be under way.
        return _as(failures.OutcomeUnknown, failure)
    if isinstance(failure, failures.CreditsOut):
        return _as(failures.WalletEmpty, failure)
    if isinstance(failure, failures.BadReply):
        # Triggers and events have an id, a chat that comes twice is answered with silence, an upload is harmless: so
        # time can tell whether this is an outage.
        return _as(failures.OutcomeUnknown, failure)
    return failure


def _failure_of_telling(error: FluidTalkError) -> CallFailed:
    failure = _failure_of(error)
    if isinstance(failure, failures.KeyRefused) and error.status == 403:
        # This call alone is refused: the persona's conversations go on.
        return _as(failures.Rejected, failure)
    return failure


def _as(kind: type[CallFailed], failure: CallFailed) -> CallFailed:
    return kind(
        str(failure), status=failure.status, retry_after=failure.retry_after, detail=failure.detail, why=failure.why
    )


def _answer(reply: CharacterReply, event: StoredEvent, word_of: Callable[[str | None], str]) -> Answer:
    if reply.paused:
        why = word_of(reply.pause_reason) or "no_reason"
        raise failures.WalletEmpty(f"the persona is paused: {why}", why=why)
    claimed = reply.ignored and reply.ignore_reason == _OWNED_ELSEWHERE
    parts = [part for bubble in reply.bubbles for part in _parts(bubble)]
    fireable = reply.fireable_event_ids
    return Answer(
        bubbles=tuple(part.said for part in parts),
        photos=tuple(place for place, part in enumerate(parts) if part.is_photo),
        delays=tuple(part.delay for part in parts),
        ignored=claimed,
        # Outreach is ignored in a live chat: there is nothing to open.
        continued=isinstance(event, AiOpener) and reply.ignored and not claimed,
        left_out=(*reply.left_out, *_unseen(reply.vision, word_of)),
        repeated=reply.deduped or (reply.silent or "").startswith(_REPEATED),
        silence=word_of(reply.silent or reply.ignore_reason) if not parts else "",
        no_such_trigger=isinstance(event, EventTrigger) and fireable is not None and event.event_type not in fireable,
    )


def _unseen(vision: Vision | None, word_of: Callable[[str | None], str]) -> tuple[LeftOut, ...]:
    # The answer stands, and speaks of an image that the persona has not seen.
    if vision is None or vision.seen is not False:
        return ()
    return (LeftOut("image", f"FluidTalk has not seen it ({word_of(vision.reason) or 'no reason told'})"),)


class _Part(NamedTuple):
    said: str
    is_photo: bool
    delay: float


def _parts(bubble: Bubble) -> list[_Part]:
    """Text and image of a bubble, each as a bubble of its own: the documented ones have only one of them."""
    delay = (bubble.delay_ms or 0) / 1000
    if not bubble.image_url:
        return [_Part(bubble.text, False, delay)]
    photo = _Part(bubble.image_url, True, delay)
    return [photo, _Part(bubble.text, False, 0.0)] if bubble.text else [photo]


def _word(reason: str | None, told: Iterable[str]) -> str:
    # A name for logs, timelines and commands. A sentence of the server could quote anything, and its words may be the
    # lead's own: "pregnant" is content, and a handle is shown as a hash or not at all.
    if not reason or reason in _DOCUMENTED:
        return reason or ""
    return "other" if not _WORD.fullmatch(reason) or repeats(reason, told, in_parts=True) else reason
