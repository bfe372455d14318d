"""What leads have consented to."""

from __future__ import annotations

from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, Shard


@face("conversation inbox follow_ups timeline consents erased_consents opted_out errands")
def consent(
    keys: ConversationKeys,
    *,
    name: str,
    state: str,
    by: str,
    since: Text,
    erased: str,
    errand: str,
    only_later_than: Text,
    timeline_ms: Text,
    conversation_ms: Text,
    call: str,
) -> Any:
    """Write what a lead has said about messages."""


@face("consents_of_leads erased_consents opted_out")
def consent_of_lead(keys: Shard, *, target: str, erased: str, state: str, at: Text, by: str, call: str) -> Any:
    """Write what a lead has said for all personas."""


@face("consents_of_leads erased_consents opted_out")
def erase_lead(keys: Shard, *, target: str, erased: str) -> Any:
    """What a lead has said for all personas is kept without the name."""


@face("consents errands")
def consent_told(keys: Shard, *, name: str, errand: str, said: str) -> Any:
    """What was said is told to the other personas."""
