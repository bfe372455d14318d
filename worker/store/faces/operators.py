"""What operators do, and what is done for them."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, Key


@face("conversation inbox agenda taken_over follow_ups timeline journal_prefix")
def claim(keys: ConversationKeys, *, name: str, claimed_by: str, timeline_ms: Text) -> Any:
    """Take a conversation over from the persona."""


@face("conversation inbox agenda timeline books taken_over dead follow_ups journal_prefix")
def hand_back(
    keys: ConversationKeys,
    *,
    doorbells: Key,
    name: str,
    answer: str,
    call: str,
    quiet_ms: Text,
    grace_ms: int,
    settled_ms: Text,
    timeline_ms: Text,
    conversation_ms: Text,
    timeline_entries: int,
    doorbell: str,
) -> Any:
    """Hand a conversation back to the persona."""


@face("conversation inbox agenda timeline books conversations journal_prefix")
def say(
    keys: ConversationKeys,
    *,
    journal: Key,
    doorbells: Key,
    name: str,
    event_id: str,
    kind: str,
    by: str,
    payload: str,
    reply: str,
    limit: int,
    grace_ms: int,
    anyway: bool,
    doorbell: str,
) -> Any:
    """Accept what a person says to the lead in the persona's place."""


@face("conversation inbox sealed follow_ups timeline")
def seal(
    keys: ConversationKeys, *, name: str, step: str, by: str, call: str, timeline_ms: Text, conversation_ms: Text
) -> Any:
    """Seal a conversation, or take its seal away."""


@face("conversation inbox agenda timeline books dead ready journal_prefix")
def replay(
    keys: ConversationKeys,
    *,
    journal: Key,
    doorbells: Key,
    name: str,
    event_id: str,
    mode: str,
    call: str,
    grace_ms: int,
    doorbell: str,
    accepted_as: str,
) -> Any:
    """Give a dead event back to its conversation."""


@face(
    "conversation inbox agenda timeline books conversations follow_ups dead sealed ready taken_over queue parked rung "
    "consents erased_consents opted_out errands journal_prefix"
)
def forget(
    keys: ConversationKeys, *, name: str, reason: str, erased_name: str, call: str, events: Sequence[str]
) -> Any:
    """Erase all that is stored of one conversation in its shard."""


@face()
def end_transcripts(*, transcripts: Key, kept_ms: int, most: int) -> Any:
    """Delete lines of transcripts that are older than they may be."""


@face()
def note_act(*, audit: Key, act: str, entries: int, looked_at: int) -> Any:
    """Note what an operator did."""


@face()
def erase_acts(*, audit: Key, target: str, personas: Sequence[str]) -> Any:
    """Take a lead's name out of what operators did."""


@face()
def reencrypt_lines(*, lines: Key, texts: Sequence[str]) -> Any:
    """Put other lines in the place of those that were read."""


@face()
def reencrypt(*, holder: Key, texts: Sequence[str]) -> Any:
    """Put other texts in the place of those that were read."""
