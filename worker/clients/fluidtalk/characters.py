"""The FluidTalk Characters API: one method for each call, one request for each method.

Source: characters.md, recorded from the published package 2.8.2. There is no retry in here: ``FluidTalkError.acted``
tells a caller whether asking again is safe, and ``trigger`` and ``event`` may always be repeated with the same
``external_event_id``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn, TypeVar

from worker.clients.fluidtalk.character_calls import CharacterCalls, media, path_segment
from worker.clients.fluidtalk.character_contract import Watch
from worker.clients.fluidtalk.character_results import (
    AckResult,
    CharacterReply,
    CommentReply,
    CommentResult,
    EventResult,
    MediaResult,
    PendingFollowUp,
    PostResult,
    SelfTest,
    SweepResult,
    ack_of,
    comment_of,
    comment_reply_of,
    event_result_of,
    follow_ups_of,
    media_of,
    post_of,
    reply_of,
    self_test_of,
    sweep_of,
)
from worker.clients.fluidtalk.errors import InvalidCall
from worker.clients.fluidtalk.form import expect_text
from worker.clients.fluidtalk.sending import DEFAULT_BASE_URL, OwnsConnections, usable_secret
from worker.clients.http.connections import Connections

Mode = Literal["live", "mock", "sandbox"]
MODES: tuple[Mode, ...] = ("live", "mock", "sandbox")

Result = TypeVar("Result")


class Characters(OwnsConnections):
    """A client of one character: the connector token fixes which. Server-side only.

    ``token``: ``ftc_live_...``; never shown by ``repr``, never part of an error text; the client cannot be pickled.
    ``base_url``: origin and optional path prefix, without user, query and fragment. ``api_version``: of this API.
    ``mode``: ``live``, ``mock`` (canned answers, free) or ``sandbox`` (real, on a disposable lead, billed); mock and
    sandbox want handles that begin with ``test_``.
    ``timeout``, ``connect_timeout``, ``total_timeout``, ``connections``: as in ``FluidTalk``, in seconds.
    ``followups``: the follow-ups that the engine writes.

    Safe for any number of threads. Each method sends one request, follows no redirect, keeps no cookie, and raises
    ``FluidTalkError``, nothing else, in the subclass that tells what to do. An argument that is None is left out of the
    request; broken UTF-16 is repaired.

    Raises ``InvalidCall`` for a token, address, version, mode or time that cannot be right; nothing of them is quoted.
    """

    __slots__ = ("__weakref__", "_calls", "_token", "base_url", "followups", "mode")

    def __init__(
        self,
        token: str,
        *,
        base_url: str = DEFAULT_BASE_URL,
        api_version: str = "v1",
        mode: Mode | None = None,
        timeout: float = 60.0,
        connect_timeout: float = 5.0,
        total_timeout: float | None = None,
        connections: Connections | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._token = usable_secret("token", token, "the connector token of the character")
        if mode not in (None, *MODES):
            raise InvalidCall(f"mode is none of {', '.join(MODES)}; give one of them")
        self.mode: Mode = mode or "live"
        super().__init__(connections)
        self._calls = CharacterCalls(
            token,
            base_url,
            api_version,
            self.mode,
            (timeout, connect_timeout, total_timeout),
            self._connections,
            watch,
        )
        self.base_url = self._calls.base_url
        self.followups = FollowUps(self._calls)

    @property
    def token(self) -> str:
        """The token as given. A secret."""
        return self._token

    @property
    def timeout(self) -> float:
        """Seconds of silence allowed while waiting for the answer."""
        return self._calls.timeouts.read

    def chat(
        self,
        *,
        platform: str,
        handle: str,
        message: str | None = "",
        image_url: str | None = None,
        session_id: str | None = None,
        own_username: str | None = None,
    ) -> CharacterReply:
        """The lead wrote: get the persona's bubbles. Not idempotent: a repeat may answer ``silent`` instead."""
        fields = {"message": message, "image_url": image_url, "session_id": session_id, "own_username": own_username}
        return self._ask("/chat", {**_lead(platform, handle), **fields}, reply_of)

    def trigger(
        self,
        *,
        platform: str,
        handle: str,
        event_id: str,
        external_event_id: str,
        context: Any = None,
        image_url: str | None = None,
        own_username: str | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> CharacterReply:
        """Something happened, or the persona is to write first (``event_id="outreach"``, which always exists).

        Idempotent by ``external_event_id``. ``context``: anything that JSON can hold.
        """
        expect_text("event_id", event_id)
        expect_text("external_event_id", external_event_id)
        fields = {"event_id": event_id, "external_event_id": external_event_id, "context": context}
        more = {"image_url": image_url, "own_username": own_username, "raw": raw}
        return self._ask("/triggers", {**_lead(platform, handle), **fields, **more}, reply_of)

    def event(
        self,
        *,
        platform: str,
        handle: str,
        external_event_id: str,
        event_type: str | None = "purchase",
        amount: float | None = None,
        currency: str | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> EventResult:
        """Money moved: ``purchase``, ``refund`` or ``chargeback``. Idempotent by ``external_event_id``."""
        expect_text("external_event_id", external_event_id)
        if event_type is not None:
            expect_text("event_type", event_type)
        fields = {"event_type": event_type, "external_event_id": external_event_id}
        more = {"amount": amount, "currency": currency, "raw": raw}
        return self._ask("/events", {**_lead(platform, handle), **fields, **more}, event_result_of)

    def self_test(self, *, platform: str | None = None) -> SelfTest:
        """Whether the integration is wired right. Free, asks no model."""
        return self._calls.get("/self-test", {"platform": platform}, self_test_of)

    def inbound_media(
        self, *, platform: str, data: bytes, filename: str | None = None, content_type: str | None = None
    ) -> MediaResult:
        """Host the bytes of a lead's image (10 MB at most); its ``url`` goes into ``chat(image_url=...)``."""
        expect_text("platform", platform)
        body = {"platform": platform, **media(data, filename, content_type)}
        return self._ask("/inbound-media", body, media_of)

    def comment(
        self,
        *,
        platform: str,
        post_ref: str,
        caption: str | None = None,
        image_urls: Sequence[str] | str | None = None,
        author_handle: str | None = None,
        max_chars: int | None = None,
    ) -> CommentResult:
        """A public comment for a post. Not idempotent, billed."""
        urls = [image_urls] if isinstance(image_urls, str) else image_urls
        post = _given({"caption": caption, "image_urls": urls, "author_handle": author_handle})
        return self._ask("/comments", {**_post(platform, post_ref), "post": post, "max_chars": max_chars}, comment_of)

    def comment_reply(
        self,
        *,
        platform: str,
        post_ref: str,
        replier_handle: str,
        reply_text: str | None = "",
        parent_comment_ref: str | None = None,
        post: Mapping[str, Any] | None = None,
        max_chars: int | None = None,
    ) -> CommentReply:
        """A reply to a reply on the persona's comment; ``reply`` is None when it chooses to say nothing. Billed."""
        expect_text("replier_handle", replier_handle)
        fields = {"replier_handle": replier_handle, "reply_text": reply_text, "parent_comment_ref": parent_comment_ref}
        body = {**_post(platform, post_ref), **fields, "post": post, "max_chars": max_chars}
        return self._ask("/comments/reply", body, comment_reply_of)

    def comment_engage(
        self,
        *,
        platform: str,
        post_ref: str,
        thread: Sequence[Mapping[str, Any]],
        post: Mapping[str, Any] | None = None,
        target_comment_ref: str | None = None,
        max_chars: int | None = None,
    ) -> CommentReply:
        """Join a thread of others; to say nothing is the usual outcome. Billed."""
        fields = {"thread": thread, "post": post, "target_comment_ref": target_comment_ref, "max_chars": max_chars}
        return self._ask("/comments/engage", {**_post(platform, post_ref), **fields}, comment_reply_of)

    def comment_media(
        self, *, platform: str, post_ref: str, data: bytes, filename: str | None = None, content_type: str | None = None
    ) -> MediaResult:
        """Host the image of a post; its ``url`` goes into ``comment(image_urls=...)``."""
        body = {**_post(platform, post_ref), **media(data, filename, content_type)}
        return self._ask("/comments/media", body, media_of)

    def post(
        self,
        *,
        platform: str,
        community: Mapping[str, Any],
        posts: Mapping[str, Any] | None = None,
        top_comments: Sequence[Mapping[str, Any]] | None = None,
        format: Mapping[str, Any] | None = None,  # noqa: A002 - the published client's name
        asset_url: str | None = None,
        brief: str | None = None,
        mode: str | None = None,
        reuse_analysis: bool | None = None,
        always_draft: bool | None = None,
        thresholds: Mapping[str, float] | None = None,
        timeout: float | None = 60.0,
    ) -> PostResult:
        """Whether to post in a community, and what. Takes 22 to 30 s, billed, not idempotent.

        ``timeout``: seconds of silence for this call, whatever the client's; None = the client's.
        """
        expect_text("platform", platform)
        asset = {"url": asset_url} if asset_url else None
        body: dict[str, Any] = {
            "platform": platform,
            "community": community,
            "posts": posts,
            "top_comments": top_comments,
        }
        body |= {"format": format, "brief": brief, "mode": mode, "reuse_analysis": reuse_analysis}
        body |= {"always_draft": always_draft, "thresholds": thresholds, "asset": asset}
        return self._calls.post("/posts", body, post_of, timeout=timeout)

    def post_media(
        self,
        *,
        platform: str,
        community_ref: str,
        data: bytes,
        filename: str | None = None,
        content_type: str | None = None,
    ) -> MediaResult:
        """Host the image of a post to come; its ``url`` goes into ``post(asset_url=...)``. None = posting is off."""
        expect_text("platform", platform)
        expect_text("community_ref", community_ref)
        body = {"platform": platform, "community_ref": community_ref, **media(data, filename, content_type)}
        return self._ask("/posts/media", body, lambda data, name: media_of(data, name, may_be_off=True))

    def __repr__(self) -> str:
        return f"Characters(base_url={self.base_url!r}, mode={self.mode!r}, timeout={self.timeout!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Characters client holds a token and connections and cannot be pickled or copied; make a new one"
        )

    def _ask(self, path: str, body: dict[str, Any], read: Callable[[Any, str | None], Result]) -> Result:
        return self._calls.post(path, body, read)


class FollowUps:
    """The follow-ups that the engine writes: pull them, deliver them, acknowledge each after its delivery."""

    __slots__ = ("_calls",)

    def __init__(self, calls: CharacterCalls) -> None:
        self._calls = calls

    def list(self, *, platform: str, own_username: str | None = None, limit: int | None = 100) -> list[PendingFollowUp]:
        """Those that were not acknowledged, the oldest first, at most ``limit``. Changes nothing."""
        expect_text("platform", platform)
        query = {"platform": platform, "own_username": own_username, "limit": limit}
        return self._calls.get("/followups", query, lambda data, _: follow_ups_of(data))

    def ack(self, followup_id: str | int) -> AckResult:
        """It was delivered. Idempotent."""
        path = f"/followups/{path_segment('followup_id', followup_id)}/ack"
        return self._calls.post(path, None, ack_of, any_body=True)

    def sweep(self, *, platform: str, idle_hours: float | None = None, limit: int | None = None) -> SweepResult:
        """Let the engine look for quiet leads now, and write to them. Billed, not idempotent (not in the package)."""
        expect_text("platform", platform)
        body = {"platform": platform, "idle_hours": idle_hours, "limit": limit}
        return self._calls.post("/followups/sweep", body, sweep_of)


def _lead(platform: str, handle: str) -> dict[str, Any]:
    expect_text("platform", platform)
    expect_text("handle", handle)
    return {"platform": platform, "handle": handle}


def _post(platform: str, post_ref: str) -> dict[str, Any]:
    expect_text("platform", platform)
    expect_text("post_ref", post_ref)
    return {"platform": platform, "post_ref": post_ref}


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
