"""What leads write in the benchmarks."""

from __future__ import annotations

from worker.domain.events import ChannelContext, InboundChat

# Every message is a turn of its own, and begins at once.
ONE_BY_ONE = {
    "PARLEY_JOIN__MAX_EVENTS": "1",
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_WORKER__LOG_LEVEL": "WARNING",
}

# Of the size of a short sentence.
_WORDS = "Hey, I saw your post about the coaching, is it still possible to join?"
_METADATA = {
    "internal": {
        "channelMetadata": {
            "channelMetadata": {
                "channel": "custom-channel",
                "accountId": "acc_69c35e3e",
                "externalId": "17841400008460",
            },
            "custom": {"timezone": "Europe/Berlin", "campaign": "autumn"},
        }
    }
}


def message(target: str, text: str = _WORDS, persona: str = "ava") -> InboundChat:
    """A lead's message. The session id of its channel is the target, so that calls of both APIs can be told apart."""
    channel = ChannelContext(session_id=target, metadata=_METADATA)
    return InboundChat(persona=persona, target=target, message=text, channel=channel)
