"""The steps of a turn."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, Key, Shard


@face("conversation inbox agenda timeline persona consents journal_prefix waiting_prefix")
def begin(
    keys: ConversationKeys,
    *,
    channel: Key,
    name: str,
    token: str,
    lease_ms: int,
    settle_ms: int,
    settle_limit_ms: int,
    most_events: int,
    most_characters: int,
    repeatable_kinds: str,
    jitter_ms: int,
    quiet_takeover_ms: int,
    preparing_kinds: str,
    resends: bool,
    whole_wallet: bool,
    stop_rest: bool,
    silence: bool,
    only_opted_in: bool,
) -> Any:
    """Take the lease of a conversation, or say why not now."""


@face("conversation agenda timeline")
def record(
    keys: ConversationKeys,
    *,
    journal: Key,
    channel: Key,
    name: str,
    token: str,
    fence: Text,
    own_reply: str,
    lease_ms: int,
    accepted_at: Text,
    ids_known: bool,
    farewell: str,
    silence: bool,
    only_opted_in: bool,
) -> Any:
    """Store the persona's reply before anything is delivered."""


@face("conversation inbox agenda timeline books follow_ups dead sealed ready taken_over journal_prefix")
def settle(
    keys: ConversationKeys,
    *,
    doorbells: Key,
    name: str,
    token: str,
    fence: Text,
    fate: str,
    settled_ms: Text,
    dead_ms: Text,
    conversation_ms: Text,
    settle_ms: int,
    settle_limit_ms: int,
    grace_ms: int,
    timeline_entries: int,
    doorbell: str,
    quiet_from: Text,
    plan_step: Text,
    mark: str,
    next_at: Text,
    rule: str,
    reason: str,
    words: str,
    detail: str,
    transcript: str,
) -> Any:
    """End a turn: its events get their fate."""


@face("conversation inbox agenda timeline journal_prefix")
def hold(
    keys: ConversationKeys,
    *,
    journal: Key,
    name: str,
    token: str,
    fence: Text,
    wait_ms: int,
    reason: str,
    outcome: str,
    timeline_entries: int,
    bubbles_sent: Text,
    failure: str,
    counts_at_once: bool,
    last_one_counts: bool,
    stop_rest: bool,
    grace_ms: int,
) -> Any:
    """Leave the head in place for so long, and let go of the lease."""


@face("conversation")
def stumble(
    keys: ConversationKeys, *, journal: Key, token: str, fence: Text, called: bool, answered_so_far: Text
) -> Any:
    """Count that a turn was ended by an error of our own."""


@face("conversation")
def killed_alone(keys: ConversationKeys, *, journal: Key, token: str, fence: Text) -> Any:
    """A process died that worked on this event and on nothing else."""


@face("conversation")
def asking(keys: ConversationKeys, *, journal: Key, token: str, fence: Text, silence: bool, only_opted_in: bool) -> Any:
    """The call to the persona is made now."""


@face()
def not_called(*, journal: Key, counter: str, token: str) -> Any:
    """A turn that has lost its lease made no call."""


@face("conversation agenda timeline")
def hand_over(keys: ConversationKeys, *, journal: Key, name: str, token: str, fence: Text) -> Any:
    """Let go of a lease in the middle of a turn."""


@face()
def keep_image(*, journal: Key, image_url: str, accepted_at: Text) -> Any:
    """Remember where the image of an event is hosted."""


@face("timeline")
def note(keys: ConversationKeys, *, word: str, what: str, event_id: str) -> Any:
    """Note in the timeline what a turn had to leave out."""


@face("agenda")
def renew(keys: Shard, *, conversations: Sequence[Key], lease_ms: int, leases: Sequence[str]) -> Any:
    """Renew leases of one shard."""
