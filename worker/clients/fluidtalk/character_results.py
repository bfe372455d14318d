"""What the Characters API answers: one frozen value for each kind of call, and how it is read from ``data``.

A field that is missing or null has its documented value. An odd part is left out and costs nothing else (Q15 to Q20);
``NotAsDocumented`` is raised when what the call is for cannot be read. Source: characters.md 3 and 5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from worker.clients.fluidtalk.bubble_limits import MOST_BUBBLES, few, joined, too_many
from worker.clients.fluidtalk.results import NotAsDocumented
from worker.clients.values.odd_values import LeftOut, UnusableLink, flag_of, link_of, name_of_type, text_of

_PARTS_OF_A_FOLLOW_UP = "|||"
_LONGEST_DELAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Bubble:
    """One message, in its place: ``text``, or a photo at ``image_url``. ``delay_ms``: the persona's own pause before
    it, in milliseconds; None if the answer names none."""

    text: str = ""
    delay_ms: int | None = None
    image_url: str | None = None


@dataclass(frozen=True)
class Vision:
    """Whether an image was ``seen``, and if not the ``reason``; ``description`` and ``kind`` of what it shows."""

    seen: bool | None = None
    reason: str | None = None
    description: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class _Answer:
    """``request_id``: for the vendor's support. ``data``: the whole answer, for what has no attribute here."""

    request_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class CharacterReply(_Answer):
    """What the persona says to a chat or a trigger: send ``bubbles`` in their order.

    ``ignored``: send nothing; ``ignore_reason`` tells why. ``paused``: the persona is switched off, ``pause_reason``
    tells why; beside bubbles only a plain true means that. ``silent``: why it says nothing, such as
    ``duplicate_message``. ``deduped``: the call was a repeat of an earlier one. ``vision``: what became of the image.
    ``session_id``, ``explain``: for tracing. ``fireable_event_ids``: the ids that a trigger can fire, told when it
    named none of them; None = not told. ``left_out``: what of the bubbles is missing, if there were far too many.
    """

    bubbles: list[Bubble] = field(default_factory=list)
    session_id: str | None = None
    ignored: bool = False
    ignore_reason: str | None = None
    paused: bool = False
    pause_reason: str | None = None
    silent: str | None = None
    deduped: bool = False
    explain: str | None = None
    vision: Vision | None = None
    fireable_event_ids: list[str] | None = None
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class EventResult(_Answer):
    """Money that moved was told. No field of the answer is documented: ``data`` holds it."""


@dataclass(frozen=True)
class PendingFollowUp:
    """A follow-up that the engine has written: deliver ``bubbles`` to ``handle``, then acknowledge ``id``.

    No bubbles: nothing of it can be delivered; acknowledge it too, because the list begins with the oldest.
    ``left_out``: what of the bubbles is missing, if there were far too many."""

    id: str
    handle: str
    bubbles: list[str]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def message(self) -> str:
        """All of it as one text, a line for each bubble."""
        return "\n".join(self.bubbles)


@dataclass(frozen=True)
class AckResult(_Answer):
    """The follow-up counts as delivered. No field is documented."""


@dataclass(frozen=True)
class SweepResult(_Answer):
    """Quiet leads were looked at. No field is documented; what was written comes with ``followups.list``."""


@dataclass(frozen=True)
class Check:
    """One check of a self test. ``name`` and ``detail`` as far as the answer has them."""

    name: str
    ok: bool
    detail: str | None = None


@dataclass(frozen=True)
class SelfTest(_Answer):
    """Whether the integration is wired right. ``fireable_event_ids``: what a trigger can fire; None = not told.
    ``platforms``: those bound to the character; None = not told."""

    ok: bool = False
    checks: list[Check] = field(default_factory=list)
    fireable_event_ids: list[str] | None = None
    platforms: list[str] | None = None


@dataclass(frozen=True)
class MediaResult(_Answer):
    """``url``: the hosted address. Only an image for a post may have none; then a reason says why."""

    url: str | None = None
    ignore_reason: str | None = None
    pause_reason: str | None = None


@dataclass(frozen=True)
class CommentResult(_Answer):
    """``comment``: the text to post, None when comments are off (``ignore_reason``). ``max_chars``: the limit that was
    applied; ``truncated``: whether it cost something."""

    comment: str | None = None
    ignored: bool = False
    ignore_reason: str | None = None
    pause_reason: str | None = None
    max_chars: int | None = None
    truncated: bool = False
    vision: Vision | None = None


@dataclass(frozen=True)
class CommentReply(_Answer):
    """``reply``: None = say nothing, which is no failure; ``decision`` and ``reason`` tell why."""

    decision: str | None = None
    reply: str | None = None
    reason: str | None = None
    target_comment_ref: str | None = None
    max_chars: int | None = None
    truncated: bool = False


@dataclass(frozen=True)
class Post:
    """A post as it can be submitted."""

    title: str
    body: str
    flair: str | None = None


@dataclass(frozen=True)
class PostResult(_Answer):
    """``decision``: ``post``, ``no_suitable_post_found`` or ``generation_failed``; ``post``: what to submit. The other
    parts (``gate``, ``blocking``, ``analysis``, ``drafts``, ``thresholds`` ...) are in ``data`` as they came."""

    decision: str | None = None
    post: Post | None = None
    gate: Any = None
    blocking: Any = None
    analysis: Any = None
    drafts: Any = None
    draft: Any = None
    draft_unavailable: Any = None
    thresholds: Any = None
    vision: Vision | None = None


def reply_of(data: Any, request_id: str | None) -> CharacterReply:
    """The answer to ``chat`` or ``trigger``. Raises ``NotAsDocumented`` when its bubbles cannot be read."""
    fields = _object(data)
    bubbles, left_out = _bubbles(fields.get("bubbles"))
    ignored, ignore_reason = _flag_or_reason(fields, "ignored", "ignore_reason")
    paused, pause_reason = _flag_or_reason(fields, "paused", "pause_reason")
    if bubbles and fields.get("paused") is not True:
        # Q20: a persona that speaks is not switched off. Only the documented flag says so beside its words.
        paused = False
    return CharacterReply(
        request_id,
        fields,
        bubbles=bubbles,
        session_id=text_of(fields.get("session_id")),
        ignored=ignored,
        ignore_reason=ignore_reason,
        paused=paused,
        pause_reason=pause_reason,
        silent=_reason(fields.get("silent")),
        deduped=bool(flag_of(fields.get("deduped"))),
        explain=text_of(fields.get("explain")),
        vision=_vision(fields.get("vision")),
        fireable_event_ids=_names(fields.get("fireable_event_ids")),
        left_out=too_many("bubbles", left_out),
    )


def event_result_of(data: Any, request_id: str | None) -> EventResult:
    """The answer to ``event``: any readable one is a success."""
    return EventResult(request_id, data if isinstance(data, dict) else {"data": data})


def follow_ups_of(data: Any) -> list[PendingFollowUp]:
    """The answer to ``followups.list``. Raises ``NotAsDocumented`` when there is no list; odd items are left out."""
    items = data if isinstance(data, list) else _object(data).get("followups")
    if items is None:
        return []
    if not isinstance(items, list):
        raise NotAsDocumented(f"followups is {name_of_type(items)}, not a list")
    return list(filter(None, map(_follow_up, items)))


def ack_of(data: Any, request_id: str | None) -> AckResult:
    """The answer to ``followups.ack``: any is a success."""
    return AckResult(request_id, data if isinstance(data, dict) else {})


def sweep_of(data: Any, request_id: str | None) -> SweepResult:
    """The answer to ``followups.sweep``."""
    return SweepResult(request_id, data if isinstance(data, dict) else {"data": data})


def self_test_of(data: Any, request_id: str | None) -> SelfTest:
    """The answer to ``self_test``. Raises ``NotAsDocumented`` when it says neither whether it is ok nor any check."""
    fields = _object(data)
    if "ok" not in fields and "checks" not in fields:
        raise NotAsDocumented("neither ok nor checks is there")
    checks = list(filter(None, map(_check, _list(fields.get("checks")))))
    ok = all(check.ok for check in checks) if fields.get("ok") is None else bool(flag_of(fields["ok"]))
    return SelfTest(
        request_id,
        fields,
        ok=ok,
        checks=checks,
        fireable_event_ids=_names(fields.get("fireable_event_ids")),
        platforms=_names(fields.get("bound_platforms", fields.get("platforms"))),
    )


def media_of(data: Any, request_id: str | None, *, may_be_off: bool = False) -> MediaResult:
    """The answer to an upload. Raises ``NotAsDocumented`` without an address, unless ``may_be_off`` (Q24)."""
    fields = _object(data)
    url = fields.get("url")
    if not (isinstance(url, str) and url) and not (may_be_off and url is None):
        raise NotAsDocumented("url is missing" if not url else "url is not a text")
    reasons = (text_of(fields.get("ignore_reason")), text_of(fields.get("pause_reason")))
    return MediaResult(request_id, fields, url or None, *reasons)


def comment_of(data: Any, request_id: str | None) -> CommentResult:
    """The answer to ``comment``. Raises ``NotAsDocumented`` when its text cannot be read."""
    fields = _object(data)
    ignored, ignore_reason = _flag_or_reason(fields, "ignored", "ignore_reason")
    return CommentResult(
        request_id,
        fields,
        comment=_said(fields, "comment"),
        ignored=ignored,
        ignore_reason=ignore_reason,
        pause_reason=text_of(fields.get("pause_reason")),
        max_chars=_whole(fields.get("max_chars")),
        truncated=bool(flag_of(fields.get("truncated"))),
        vision=_vision(fields.get("vision")),
    )


def comment_reply_of(data: Any, request_id: str | None) -> CommentReply:
    """The answer to ``comment_reply`` or ``comment_engage``. Raises ``NotAsDocumented`` as ``comment_of`` does."""
    fields = _object(data)
    return CommentReply(
        request_id,
        fields,
        decision=text_of(fields.get("decision")),
        reply=_said(fields, "reply"),
        reason=text_of(fields.get("reason")),
        target_comment_ref=text_of(fields.get("target_comment_ref")),
        max_chars=_whole(fields.get("max_chars")),
        truncated=bool(flag_of(fields.get("truncated"))),
    )


def post_of(data: Any, request_id: str | None) -> PostResult:
    """The answer to ``post``. Raises ``NotAsDocumented`` when it decides for a post that cannot be read."""
    fields = _object(data)
    decision, written = text_of(fields.get("decision")), fields.get("post")
    post = None
    if isinstance(written, dict):
        title, body = text_of(written.get("title")), text_of(written.get("body"))
        if title is not None or body is not None:
            post = Post(title or "", body or "", text_of(written.get("flair")))
    if decision == "post" and post is None:
        raise NotAsDocumented("post has neither title nor body")
    kept = ("gate", "blocking", "analysis", "drafts", "draft", "draft_unavailable", "thresholds")
    return PostResult(
        request_id,
        fields,
        decision=decision,
        post=post,
        vision=_vision(fields.get("vision")),
        **{name: fields.get(name) for name in kept},
    )


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise NotAsDocumented(f"data is {name_of_type(data)}, not an object")
    return data


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _bubbles(value: Any) -> tuple[list[Bubble], int]:
    # Q15, Q16: a text or an object is one bubble; what holds neither is no answer.
    items = [value] if isinstance(value, str | dict) else [] if value is None else value
    if not isinstance(items, list):
        raise NotAsDocumented(f"bubbles is {name_of_type(value)}, not a list")
    found = filter(None, map(_bubble, items))
    bubbles = list(islice(found, MOST_BUBBLES))
    if not bubbles and any(item not in (None, "", {}) for item in items):
        raise NotAsDocumented("no bubble has a text or an image")
    if (beyond := next(found, None)) is None:
        return bubbles, 0
    last = bubbles.pop()
    text, left_out = joined(each.text for each in chain((last, beyond), found))
    return [*bubbles, Bubble(text, last.delay_ms)] if text else bubbles, left_out


def _bubble(item: Any) -> Bubble | None:
    if not isinstance(item, dict):
        text = text_of(item)
        return Bubble(text) if text else None
    text, image_url = text_of(item.get("text")) or "", _link(item.get("image_url"))
    return Bubble(text, _delay_ms(item.get("delay_ms")), image_url) if text or image_url else None


def _delay_ms(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 <= value <= _LONGEST_DELAY_MS else None


def _link(value: Any) -> str | None:
    try:
        return link_of(value)
    except UnusableLink:
        return None


def _vision(value: Any) -> Vision | None:
    if not isinstance(value, dict):
        return None
    words = (text_of(value.get(name)) for name in ("reason", "description", "kind"))
    return Vision(flag_of(value.get("seen")), *words)


def _reason(value: Any) -> str | None:
    # A flag in place of its reason is one without words.
    if isinstance(value, str):
        return value if _says_something(value) and flag_of(value) is not False else None
    return "no reason" if flag_of(value) else None


def _flag_or_reason(fields: dict[str, Any], flag: str, reason: str) -> tuple[bool, str | None]:
    # Q19: "false" is false, and a reason in place of the flag means that it holds.
    value, told = fields.get(flag), text_of(fields.get(reason))
    told = told if told and _says_something(told) else None
    holds = flag_of(value)
    if holds is None and isinstance(value, str) and _says_something(value):
        return True, told or value
    return bool(holds), told


def _says_something(text: str) -> bool:
    # The last three are what programs make of a value that is not there.
    return text.strip().lower() not in ("", "null", "none", "undefined")


def _said(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    text = text_of(value)
    if text is None and value is not None:
        raise NotAsDocumented(f"{name} is {name_of_type(value)}, not a text")
    return text


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _names(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [text for item in value if (text := text_of(item))]


def _check(item: Any) -> Check | None:
    if not isinstance(item, dict):
        return None
    return Check(
        name=_first_text(item, ("name", "id", "check", "code")) or "unnamed",
        ok=bool(flag_of(item.get("ok"))),
        detail=_first_text(item, ("detail", "message", "reason", "hint")),
    )


def _first_text(item: dict[str, Any], names: Iterable[str]) -> str | None:
    return next((text for name in names if (text := text_of(item.get(name)))), None)


def _follow_up(item: Any) -> PendingFollowUp | None:
    # Q18, Q21, Q22. What has no id can be neither delivered once nor acknowledged.
    if not isinstance(item, dict) or not (followup_id := text_of(item.get("id"))):
        return None
    handle = _first_text(item, ("handle", "lead_handle")) or ""
    bubbles, left_out = few(_parted(text_of(item.get("message"))) or _mocked(item.get("bubbles")))
    return PendingFollowUp(followup_id, handle, bubbles if handle else [], too_many("bubbles", left_out))


def _parted(message: str | None) -> list[str]:
    return [part for each in (message or "").split(_PARTS_OF_A_FOLLOW_UP) if (part := each.strip())]


def _mocked(value: Any) -> list[str]:
    items = _list(value)
    texts = (text_of(item.get("text") if isinstance(item, dict) else item) for item in items)
    return [part for text in texts for part in _parted(text)]
