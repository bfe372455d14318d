"""What an answer of the Characters API has beyond its contract, by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clients.fluidtalk.character_contract import Exchange, unknown_in

DOCUMENTED = {
    "/chat": {
        "session_id": "s",
        "bubbles": [{"text": "hi", "delay_ms": 10}, {"image_url": "https://x/y.png"}],
        "ignored": True,
        "ignore_reason": "lead_claimed_by_other_account",
        "paused": False,
        "pause_reason": None,
        "silent": "duplicate_message",
        "deduped": False,
        "explain": "a sentence",
        "vision": {"seen": False, "reason": "anything at all", "description": "", "kind": "photo"},
    },
    "/followups": {"followups": [{"id": 1, "handle": "a", "lead_handle": "a", "message": "x", "bubbles": ["x"]}]},
    "/inbound-media": {"url": "https://x/y.png"},
    "/events": {"whatever": "it is"},
    "/followups/fu_1/ack": {"whatever": "it is"},
}


def found(path: str, data: Any, status: int = 200) -> list[str]:
    return sorted(f"{what} {name}" for what, name in unknown_in(Exchange(path, status, data, ())))


@pytest.mark.parametrize("path", DOCUMENTED)
def test_what_is_documented_is_no_drift(path: str) -> None:
    assert found(path, DOCUMENTED[path]) == []
    assert found("/triggers", DOCUMENTED["/chat"]) == []


@pytest.mark.parametrize(
    ("path", "data", "names"),
    [
        ("/chat", {"bubbles": [], "mood": "secret"}, ["field chat.mood"]),
        ("/triggers", {"known_event_ids": ["a"]}, ["field trigger.known_event_ids"]),
        ("/chat", {"bubbles": [{"text": "x", "voice_url": "y"}, {"voice_url": "y"}]}, ["field bubble.voice_url"] * 2),
        ("/chat", {"bubbles": {"text": "x", "tone": 1}}, ["field bubble.tone"]),
        ("/chat", {"vision": {"seen": True, "nsfw": False}}, ["field vision.nsfw"]),
        ("/followups", {"followups": [{"id": 1, "until": 2}]}, ["field followup.until"]),
        ("/followups", {"followups": [], "cursor": "c"}, ["field followups.cursor"]),
        ("/followups", [{"id": 1, "expires_at": "x"}], ["field followup.expires_at"]),
        ("/inbound-media", {"url": "x", "sha": "y"}, ["field media.sha"]),
        ("/chat", {"ignored": True, "ignore_reason": "lead_blocked"}, ["reason ignore_reason.lead_blocked"]),
        ("/chat", {"ignored": "lead_blocked"}, ["reason ignore_reason.lead_blocked"]),
        ("/chat", {"ignored": "false", "silent": "true", "paused": True}, []),
        ("/chat", {"paused": True, "pause_reason": "owner_away"}, ["reason pause_reason.owner_away"]),
        ("/chat", {"silent": "cooldown"}, ["reason silent.cooldown"]),
        ("/followups", {"john_doe": [{"id": 1}]}, []),
        ("/followups", {"followups": {"john_doe": {"id": 1}}}, []),
    ],
)  # fmt: skip
def test_what_is_not_documented_is_named(path: str, data: Any, names: list[str]) -> None:
    assert found(path, data) == names


@pytest.mark.parametrize(
    ("status", "names"), [(200, []), (404, []), (503, []), (299, ["status 299"]), (451, ["status 451"])]
)
def test_statuses_of_no_row_are_named(status: int, names: list[str]) -> None:
    assert found("/chat", None, status) == names


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(data=JSON, name=st.sampled_from(["bubbles", "vision", "silent", "ignored", "paused", "followups"]))
def test_no_answer_is_too_odd(data: Any, name: str) -> None:
    for path in DOCUMENTED:
        found(path, data)
        found(path, {name: data})
