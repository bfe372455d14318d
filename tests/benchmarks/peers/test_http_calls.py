"""Peers that have no client packages ask and send as the services want it, in a thread and in an event loop alike."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.peers.http_calls import answer, answer_soon
from simulation.messages import messages
from simulation.upstreams.control import SimulatedUpstreams


@pytest.mark.parametrize("in_loop", [False, True])
def test_the_persona_is_asked_and_its_answer_is_sent(
    upstreams: SimulatedUpstreams, monkeypatch: pytest.MonkeyPatch, in_loop: bool
):
    monkeypatch.setenv("PARLEY_FLUIDTALK__BASE_URL", upstreams.fluidtalk_url)
    monkeypatch.setenv("PARLEY_CAPTIVATE__BASE_URL", upstreams.captivate_url)
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")
    (message,) = messages(f"loop-{in_loop}", 1, 1)
    if in_loop:
        asyncio.run(answer_soon(*message))
    else:
        answer(*message)
    asked, sent = upstreams.calls()
    assert (asked.service, asked.target, asked.acted) == ("fluidtalk", message[1], True)
    assert (sent.service, sent.session_id, sent.acted) == ("captivate", message[2], True)
