"""A persona behind FluidTalk's Handshake API: events become calls; results and errors become the domain's words."""

from __future__ import annotations

from worker.adapters.fluidtalk_failures import failure_of
from worker.clients.fluidtalk import ActionResult, ChatResult, FluidTalk, FluidTalkError
from worker.domain.answer import Answer
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
from worker.domain.failures import Unsendable

# One white pixel, for a call without consequences.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0005fe02fea7"
    "9a90440000000049454e44ae426082"
)


class Handshake:
    """One persona. Safe for threads, as its client is.

    Each method makes one call and raises ``worker.domain.failures.CallFailed``, in the class that says what is known.
    """

    def __init__(self, client: FluidTalk) -> None:
        self._client = client

    def ask(self, group: tuple[StoredEvent, ...], image_url: str | None) -> Answer:
        """Ask once for events that are answered together. The last one says which call it is; the words of chats before
        it go along, a line for each. ``image_url``: a hosted image."""
        try:
            return _answer(self._call(group, image_url))
        except FluidTalkError as error:
            raise failure_of(error) from error

    def host(self, target: str, image: bytes, filename: str) -> str:
        """Host an image of a lead. Returns its address, to ask with. ``target``: of no meaning to this API.
        ``filename``: with the extension of the image's type."""
        try:
            return self._client.upload_image(data=image, filename=filename).url
        except FluidTalkError as error:
            raise failure_of(error) from error

    def try_out(self) -> None:
        """Make a call without consequences for any lead, to see whether the persona can be reached."""
        self.host("", _PIXEL, "pixel.png")

    def echo_of(self, group: tuple[StoredEvent, ...]) -> str:
        """Always '': this API answers the same words again."""
        return ""

    def _call(self, group: tuple[StoredEvent, ...], image_url: str | None) -> ChatResult | ActionResult:
        client, event = self._client, group[-1]
        match event:
            case InboundChat():
                texts = [part.words for part in group if isinstance(part, InboundChat) and part.words]
                own_username = next((part.own_username for part in reversed(group) if part.own_username), None)
                return client.inbound_chat(
                    event.target, "\n".join(texts), own_username=own_username, image_url=image_url
                )
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
            case PulledFollowUp() | OperatorMessage():
                raise Unsendable("it is written already: nothing is asked for it")
            case MoneyEvent():
                raise Unsendable("the Handshake API takes no purchases and refunds")


def _answer(result: ChatResult | ActionResult) -> Answer:
    if isinstance(result, ChatResult):
        photo_url = (result.photo_url or None) if result.should_send_photo else None
        return Answer(tuple(result.replies), photo_url, result.ignored, left_out=result.left_out)
    bubbles = (result.message,) if result.message else ()
    return Answer(bubbles, None, result.ignored, result.continued, result.left_out)
