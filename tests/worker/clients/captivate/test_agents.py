"""Router mode: an agent that chooses other agents, and looks at the actions of its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from worker.clients.captivate import Captivate, CaptivateValueError, ChatRequest


@pytest.mark.parametrize(
    "function",
    [
        lambda c: c.set_agents(["a"]),
        lambda c: c.get_outgoing_action(),
        lambda c: c.is_escalating_to_agent_router(),
    ],
)
def test_what_is_for_routers_says_how_to_become_one(captivate: Captivate, function: Callable[[Captivate], Any]) -> None:
    with pytest.raises(CaptivateValueError, match="call enable_router_mode first"):
        function(captivate)
    captivate.enable_router_mode()
    function(captivate)


def test_router_mode_is_of_one_conversation_and_is_not_sent(captivate: Captivate, payload: dict[str, Any]) -> None:
    before = captivate.body()
    captivate.enable_router_mode()
    assert captivate.body() == before
    assert not Captivate.parse(payload).is_router_mode()


def test_agents_are_set_once_for_each_request(captivate: Captivate) -> None:
    captivate.set_agents_list(["a", "b"])
    with pytest.raises(CaptivateValueError, match="once for each request"):
        captivate.set_agents_list(["c"])
    again = Captivate.parse(captivate.body())
    assert again.get_agents() == ["a", "b"]
    again.set_agents_list(["c"])
    assert again.get_agents() == ["c"]


def test_a_refused_list_can_be_set_right(captivate: Captivate) -> None:
    with pytest.raises(CaptivateValueError, match="list of ids"):
        captivate.set_agents_list("a")  # type: ignore[arg-type]
    captivate.set_agents_list(["a"])


def test_a_chat_request_shows_nothing_of_its_content(payload: dict[str, Any]) -> None:
    request = ChatRequest(**{**payload, "user_input": "SECRET", "session_id": "SECRET"})
    assert "SECRET" not in f"{request!r} {request}"
    with pytest.raises(ValueError, match="session_id") as failed:
        ChatRequest(session_id=["SECRET"], metadata={})  # type: ignore[arg-type]
    assert "SECRET" not in str(failed.value)
