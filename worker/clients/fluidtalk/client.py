"""The FluidTalk Handshake API: one method for each call, one request for each method.

Source: seed FluidTalk; protocols.md part 1. The client never retries (F21): ``FluidTalkError.acted`` says whether it
is safe to ask again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

import httpx

from worker.clients.fluidtalk.errors import BadReply, InvalidCall, error_for
from worker.clients.fluidtalk.form import (
    File,
    ImagePath,
    content_type,
    context_text,
    expect_text,
    file_name,
    form_bytes,
    image_bytes,
    read_image,
    text_fields,
)
from worker.clients.fluidtalk.results import (
    ActionResult,
    ChatResult,
    NotAsDocumented,
    UploadResult,
    action_result,
    chat_result,
    upload_result,
)
from worker.clients.fluidtalk.sending import (
    DEFAULT_BASE_URL,
    HEADERS,
    OwnsConnections,
    answer_to,
    content_of,
    is_foreign,
    server_address,
    timeouts_of,
    usable_secret,
)
from worker.clients.http.connections import Answer, Connections
from worker.clients.http.requests import Asked, Request

Result = TypeVar("Result")

_address = lru_cache(maxsize=256)(server_address)
_FORM_FIELDS = (
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    *((name.encode("ascii"), value.encode("ascii")) for name, value in HEADERS.items()),
)


class FluidTalk(OwnsConnections):
    """A client of one persona: the API key fixes persona and engine. Server-side only.

    ``api_key``: never shown by ``repr``, never part of an error text; the client cannot be pickled.
    ``base_url``: origin and optional path prefix; slashes at the end are dropped.
    ``own_username``: sent with a call that names none, for tracking and deduplication.
    ``timeout``: seconds of silence allowed while waiting for the answer. ``connect_timeout``: seconds allowed to get a
    connection. ``total_timeout``: seconds allowed for a whole call; by default both and ten more.
    ``connections``: shared with other clients and closed by their owner; by default the client has and closes its own.

    Safe for any number of threads. Each method sends one request, follows no redirect (F14), and raises
    only ``FluidTalkError``, in the subclass that says what to do. Text with broken UTF-16 is repaired, not
    refused (F7). A text argument that is None or empty is left out of the request (F1).

    Raises ``InvalidCall`` for a key that is empty or could not be sent (F16, F22), and for a time that is not above 0
    or longer than a day.
    Source: seed FluidTalk, protocols.md 1.1.
    """

    __slots__ = (
        "__weakref__",
        "_api_key",
        "_timeouts",
        "base_url",
        "own_username",
    )

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        own_username: str | None = None,
        timeout: float = 60.0,
        *,
        connect_timeout: float = 5.0,
        total_timeout: float | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._api_key = usable_secret("api_key", api_key, "the persona's key")
        if not isinstance(base_url, str):
            raise InvalidCall("base_url is not a string; give an http(s) address")
        self.base_url = base_url.rstrip("/")
        self.own_username = own_username
        self._timeouts = timeouts_of(timeout, connect_timeout, total_timeout)
        super().__init__(connections)

    @property
    def api_key(self) -> str:
        """The key as given. A secret."""
        return self._api_key

    @property
    def timeout(self) -> float:
        """Seconds of silence allowed while waiting for the answer."""
        return self._timeouts.read

    def inbound_chat(
        self,
        target: str,
        message: str | None,
        own_username: str | None = None,
        image_url: str | None = None,
        image_path: ImagePath | None = None,
    ) -> ChatResult:
        """The lead ``target`` wrote ``message``: get the persona's reply (protocols.md 1.2, F2, F4).

        An image may be named by ``image_url`` or read from ``image_path``, before anything is sent (F6).
        """
        fields = {"message": message, "own_username": self._account(own_username), "image_url": image_url}
        return self._call("/api/v1/bot/chat", target, fields, image_path, chat_result)

    def ai_opener(
        self,
        target: str,
        own_username: str | None = None,
        image_url: str | None = None,
        image_path: ImagePath | None = None,
    ) -> ActionResult:
        """The persona writes first to ``target`` (protocols.md 1.2). An image, such as a profile, gives it context."""
        fields = {"action": "OUTREACH", "own_username": self._account(own_username), "image_url": image_url}
        return self._call("/api/v1/bot/action", target, fields, image_path, action_result)

    def event_trigger(
        self,
        target: str,
        event_type: str,
        context: Mapping[str, Any] | None = None,
        own_username: str | None = None,
        image_url: str | None = None,
        image_path: ImagePath | None = None,
    ) -> ActionResult:
        """Something happened on the platform (protocols.md 1.2, 1.3, F3, F7).

        ``event_type`` names an Event Trigger of the engine. ``context``: facts about it, anything JSON can hold.
        """
        expect_text("event_type", event_type)
        fields = {
            "action": "ENTRY_POINT",
            "entry_type": event_type,
            "entry_context": context_text(context),
            "own_username": self._account(own_username),
            "image_url": image_url,
        }
        return self._call("/api/v1/bot/action", target, fields, image_path, action_result)

    def follow_up(self, target: str, own_username: str | None = None) -> ActionResult:
        """Write again to ``target``, who has become quiet (protocols.md 1.2).

        Raises ``ConversationNotFound`` if there was no contact before.
        """
        fields = {"action": "FOLLOW_UP", "own_username": self._account(own_username)}
        return self._call("/api/v1/bot/action", target, fields, None, action_result)

    def upload_image(
        self, path: ImagePath | None = None, data: bytes | None = None, filename: str | None = None
    ) -> UploadResult:
        """Host an image, from ``path`` or from ``data``; the bytes win if both are given (protocols.md 1.3, F5, F13).

        ``filename``: the name to send; by default that of ``path``, or ``image.jpg`` for bytes. The type that is sent
        beside it is that of the bytes.
        """
        name = file_name(filename) if filename else ""
        if data is not None:
            file = (name or "image.jpg", image_bytes(data))
        elif path:
            path_name, content = read_image(path)
            file = (name or path_name, content)
        else:
            raise InvalidCall("there is no image to upload; give path or data")
        return self._post("/api/v1/bot/upload", {}, file, upload_result)

    def __repr__(self) -> str:
        shown_url = self.base_url.rpartition("@")[2]
        return f"FluidTalk(base_url={shown_url!r}, own_username={self.own_username!r}, timeout={self.timeout!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a FluidTalk client holds a key and connections and cannot be pickled or copied; make a new one"
        )

    def _account(self, own_username: str | None) -> str | None:
        return own_username or self.own_username

    def _call(
        self,
        path: str,
        target: str,
        fields: dict[str, str | None],
        image_path: ImagePath | None,
        read: Callable[[dict[str, Any]], Result],
    ) -> Result:
        expect_text("target", target)
        form = text_fields({"target": target, **fields})
        return self._post(path, form, read_image(image_path) if image_path else None, read)

    def _post(
        self, path: str, form: dict[str, str], file: File | None, read: Callable[[dict[str, Any]], Result]
    ) -> Result:
        address = _address(self.base_url + path)
        if file is None:
            fields = ((b"Host", address.netloc), (b"X-API-Key", self._api_key.encode("ascii")), *_FORM_FIELDS)
            asked: Asked = Request("POST", address, fields, form_bytes(form))
        else:
            headers = {"X-API-Key": self._api_key, **HEADERS}
            files = {"file": (*file, content_type(*file))}
            asked = httpx.Request("POST", address, headers=headers, data=form, files=files)
        return _read_answer(answer_to(self._connections, asked, self._timeouts), read)


def _read_answer(answer: Answer, read: Callable[[dict[str, Any]], Result]) -> Result:
    detail, unreadable = content_of(answer)
    foreign = is_foreign(detail, unreadable)
    if not 200 <= answer.status < 300:
        raise error_for(answer.status, detail, answer.retry_after, foreign=foreign)
    if not unreadable:
        try:
            if isinstance(detail, dict):
                return read(detail)
            unreadable = "the body is not a JSON object"
        except NotAsDocumented as error:
            unreadable = str(error)
    said = f"FluidTalk answered {answer.status}, but {unreadable}: {BadReply.explanation}"
    failed = BadReply(answer.status, detail, said)
    failed.foreign = foreign
    raise failed
