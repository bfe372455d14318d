"""Leads of a whole system who write through its ingress: what a sender may rely on, over whichever store and broker."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import httpx

from simulation.ingress_client import IngressClient
from simulation.servers.system import INGRESS_TOKEN, RunningSystem
from simulation.until import until
from worker.domain.events import ChannelContext, InboundChat
from worker.domain.vocabulary import FATES

SETTINGS = {"PARLEY_JOIN__MAX_EVENTS": "1", "PARLEY_JOIN__SETTLE_SECONDS": "0"}
LEADS = 12
WORDS = ("one", "two", "three")


def write_and_be_answered(system: RunningSystem) -> None:
    """Leads write single events, arrays and requests of Captivate, also twice; each is answered once and in order, and
    the receipts say so."""
    with closing(IngressClient(system.ingresses[0], INGRESS_TOKEN)) as client:
        receipts = [client.send(_event(lead, words)) for words in WORDS[:1] for lead in range(LEADS)]
        receipts += _send_together(system, [_event(lead, words) for words in WORDS[1:] for lead in range(LEADS)])
        requests = [client.send_captivate("ava", _request(lead, words)) for words in WORDS for lead in range(LEADS)]
        assert client.send_captivate("ava", _request(LEADS - 1, WORDS[-1])) == requests[-1], "the same request again"
        receipts += requests
        until(
            lambda: all(client.status(receipt) in FATES for receipt in receipts), "each receipt has a fate", seconds=60
        )
        assert {client.status(receipt) for receipt in receipts} == {"answered"}
        assert len(set(receipts)) == 2 * LEADS * len(WORDS)
    for session in [*map(_session, range(LEADS)), *(f"captivate-{lead}" for lead in range(LEADS))]:
        said = [message["text"] for each in system.upstreams.deliveries(session) for message in each.messages]
        assert said == [f"You said: {words}" for words in WORDS], session


def notices_of(client: IngressClient) -> list[dict[str, Any]]:
    """All notices that are kept, pulled page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while (page := client.notices(cursor)).notices:
        found, cursor = found + list(page.notices), page.cursor
    return found


def _send_together(system: RunningSystem, events: list[InboundChat]) -> list[str]:
    answer = httpx.post(
        f"{system.ingresses[0]}/v1/events",
        json=[event.model_dump(mode="json", exclude_none=True) for event in events],
        headers={"Authorization": f"Bearer {INGRESS_TOKEN}"},
        timeout=30,
    )
    assert answer.status_code == 207, answer.text
    assert [each["status"] for each in answer.json()["results"]] == ["accepted"] * len(events)
    return [each["receipt"] for each in answer.json()["results"]]


def _event(lead: int, words: str) -> InboundChat:
    channel = ChannelContext(session_id=_session(lead), metadata={})
    return InboundChat(persona="ava", target=f"@lead-{lead}", message=words, channel=channel)


def _request(lead: int, words: str) -> dict[str, object]:
    return {"session_id": f"captivate-{lead}", "user_input": words, "metadata": {}, "hasLivechat": False}


def _session(lead: int) -> str:
    return f"session-{lead}"
