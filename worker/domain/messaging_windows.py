"""Until when a channel takes messages that the lead did not ask for: pure. Moments are milliseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass

from config.outreach_rules import MessagingWindows
from worker.domain.channel_metadata import channel_name
from worker.domain.conversation import Conversation
from worker.domain.platforms import platform_and_handle
from worker.domain.reasons import Reason
from worker.domain.vocabulary import Cause, figures

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class MessagingWindow:
    """The window of one conversation. ``channel``: its name in the settings. ``closes``: when it closes, None = never;
    0 when the lead has never written. ``margin_ms``: nothing is begun in this last part of it. ``off``: the persona
    never writes first here."""

    channel: str
    closes: int | None
    margin_ms: int = 0
    off: bool = False

    @property
    def last_begin(self) -> int | None:
        """From this moment on nothing is begun; None = there is no such moment."""
        return self.closes if self.closes is None else max(0, self.closes - self.margin_ms)

    def closed_for_asking(self, at: int) -> Reason | None:
        """Why the persona is not asked for a message at ``at``; None = it may be asked."""
        return self._closed(at, self.last_begin)

    def closed_for_sending(self, at: int) -> Reason | None:
        """Why a message that is written is not sent at ``at``; None = it may be sent."""
        return self._closed(at, self.closes)

    def _closed(self, at: int, end: int | None) -> Reason | None:
        if self.off:
            return Reason(Cause.OUTREACH_OFF_ON_CHANNEL, figures(channel=self.channel))
        if end is not None and at >= end:
            return Reason(Cause.WINDOW_CLOSED, figures(channel=self.channel))
        return None


def messaging_window_of(
    rules: MessagingWindows, conversation: str, channel: str | None, last_inbound: int
) -> MessagingWindow:
    """The window of a conversation.

    ``conversation``: its name; the target may name the platform. ``channel``: its channel context as JSON.
    ``last_inbound``: when the lead's last message was accepted, 0 = never.
    """
    platform, _ = platform_and_handle(Conversation.of_name(conversation).target, "")
    name, limit = rules.limit_of(channel_name(channel), platform)
    if limit == "off":
        return MessagingWindow(name, None, off=True)
    if limit == "none":
        return MessagingWindow(name, None)
    closes = last_inbound + int(limit * _HOUR_MS) if last_inbound else 0
    return MessagingWindow(name, closes, int(rules.margin_seconds * 1000))
