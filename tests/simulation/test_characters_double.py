"""The published client, ``fluidtalk==2.8.2``, finds in the double what the texts promise."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest

from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind, FaultRule

TOKEN = "ftc_live_cleo"
LEAD = {"platform": "instagram", "handle": "mark"}


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatedUpstreams]:
    with SimulatedUpstreams(personas={"ava": "ft_sk_ava", "cleo": TOKEN}) as upstreams:
        yield upstreams


@pytest.fixture
def upstreams(running: SimulatedUpstreams) -> SimulatedUpstreams:
    running.reset()
    return running


@pytest.fixture
def cleo(upstreams: SimulatedUpstreams, published_characters: ModuleType) -> Iterator[Any]:
    with published_characters.FluidTalk(TOKEN, base_url=upstreams.fluidtalk_url, timeout=10) as client:
        yield client


def status_of(published: ModuleType, call: Any) -> int:
    with pytest.raises(published.ApiError) as caught:
        call()
    status: int = caught.value.status
    return status


def test_a_chat_is_answered_by_bubbles_with_pauses(cleo: Any) -> None:
    reply = cleo.chat(**LEAD, message="hey\n\nwho is this?")
    assert [(each.text, each.delay_ms) for each in reply.bubbles] == [
        ("You said: hey", 0),
        ("You said: who is this?", 10),
    ]
    assert not reply.ignored
    assert cleo.chat(**LEAD, message="more").session_id == reply.session_id
    assert cleo.chat(platform="x", handle="mark", message="hey").session_id != reply.session_id


def test_a_photo_comes_between_texts_and_can_be_fetched(cleo: Any) -> None:
    first, photo, last = cleo.chat(**LEAD, message="photo please\nthank you").bubbles
    assert (first.text, photo.text, last.text) == ("You said: photo please", None, "You said: thank you")
    assert httpx.get(photo.image_url).headers["content-type"] == "image/png"


def test_the_same_text_twice_is_answered_by_silence_until_another_comes(cleo: Any) -> None:
    assert cleo.chat(**LEAD, message="hey").bubbles
    for _ in range(2):
        again = cleo.chat(**LEAD, message="hey")
        assert (again.bubbles, again.silent) == ([], "duplicate_message")
    assert cleo.chat(**LEAD, message="you").bubbles
    assert cleo.chat(**LEAD, message="hey").bubbles


def test_a_trigger_is_idempotent(cleo: Any) -> None:
    fired = cleo.trigger(**LEAD, event_id="story_reaction", external_event_id="e-1", context={"reaction": "🔥"})
    assert [each.text for each in fired.bubbles] == ['You did: story_reaction {"reaction": "🔥"}']
    again = cleo.trigger(**LEAD, event_id="story_reaction", external_event_id="e-1")
    assert (again.bubbles, again.deduped) == ([], True)
    assert cleo.trigger(**LEAD, event_id="story_reaction", external_event_id="e-2").bubbles


def test_outreach_opens_and_is_ignored_in_a_live_chat(cleo: Any) -> None:
    opener = cleo.trigger(**LEAD, event_id="outreach", external_event_id="e-1")
    assert [each.text for each in opener.bubbles] == ["Hello mark, this is cleo."]
    again = cleo.trigger(**LEAD, event_id="outreach", external_event_id="e-2")
    assert (again.bubbles, again.ignored) == ([], True)


def test_money_is_told_once(cleo: Any) -> None:
    told = {**LEAD, "external_event_id": "p-1", "amount": 12.5, "currency": "EUR"}
    assert cleo.event(**told).applied
    assert not cleo.event(**told).applied


def test_follow_ups_are_swept_listed_and_acknowledged(cleo: Any, upstreams: SimulatedUpstreams) -> None:
    assert cleo.followups.list(platform="instagram") == []
    cleo.chat(**LEAD, message="hey")
    sweep = httpx.post(
        f"{upstreams.fluidtalk_url}/api/v1/characters/followups/sweep",
        json={"platform": "instagram"},
        headers={"X-Connector-Token": TOKEN},
    )
    assert sweep.json()["data"] == {"queued": 1}
    [pending] = cleo.followups.list(platform="instagram")
    assert (pending.handle, pending.message) == ("mark", "Are you still there, mark? ||| Just checking.")
    assert cleo.followups.list(platform="x") == []
    for _ in range(2):
        cleo.followups.ack(pending.id)
    assert cleo.followups.list(platform="instagram") == []


def test_errors_come_in_the_envelope(
    cleo: Any, upstreams: SimulatedUpstreams, published_characters: ModuleType
) -> None:
    upstreams.set_credits("cleo", 0)
    with pytest.raises(published_characters.PaymentRequiredError) as caught:
        cleo.chat(**LEAD, message="hey")
    assert (caught.value.code, caught.value.type) == ("payment_required", "client_error")
    assert caught.value.request_id.startswith("req_")
    assert status_of(published_characters, lambda: cleo.followups.ack("never")) == 404
    assert status_of(published_characters, lambda: cleo.chat(**LEAD)) == 422
    with published_characters.FluidTalk("ftc_wrong", base_url=upstreams.fluidtalk_url) as stranger:
        assert status_of(published_characters, lambda: stranger.chat(**LEAD, message="hey")) == 401


@pytest.mark.parametrize("mode", ["mock", "sandbox"])
def test_test_modes_want_test_handles(
    upstreams: SimulatedUpstreams, published_characters: ModuleType, mode: str
) -> None:
    with published_characters.FluidTalk(TOKEN, base_url=upstreams.fluidtalk_url, mode=mode) as client:
        assert status_of(published_characters, lambda: client.chat(**LEAD, message="hey")) == 400
        assert client.chat(platform="x", handle="test_mark", message="hey").bubbles


def test_media_is_hosted(cleo: Any) -> None:
    url = cleo.inbound_media(platform="x", data=b"\x89PNG\r\n\x1a\n").url
    assert httpx.get(url).content == b"\x89PNG\r\n\x1a\n"
    named = cleo.inbound_media(platform="x", data=b"\x89PNG\r\n\x1a\n", filename="böard.png").url
    assert named.endswith("/b%C3%B6ard.png")
    assert httpx.get(named).content == b"\x89PNG\r\n\x1a\n"
    assert cleo.chat(**LEAD, message="", image_url=url).bubbles[0].text == f"You sent an image: {url}"


def test_a_self_test_tells_what_is_wired(cleo: Any, upstreams: SimulatedUpstreams) -> None:
    assert cleo.self_test(platform="x").ok
    upstreams.set_credits("cleo", 0)
    broken = cleo.self_test(platform="x")
    assert [each.name for each in broken.checks if not each.ok] == ["wallet"]


def test_a_lead_of_another_account_is_ignored(cleo: Any, upstreams: SimulatedUpstreams) -> None:
    upstreams.own_elsewhere("cleo", "instagram/mark")
    reply = cleo.chat(**LEAD, message="hey")
    assert (reply.bubbles, reply.ignored, reply.ignore_reason) == ([], True, "lead_claimed_by_other_account")


def test_calls_are_logged_with_lead_and_persona(cleo: Any, upstreams: SimulatedUpstreams) -> None:
    cleo.chat(**LEAD, message="hey")
    [call] = upstreams.calls()
    assert (call.persona, call.target, call.turn, call.acted, call.status) == ("cleo", "instagram/mark", 1, True, 200)


def test_faults_strike_here_too(cleo: Any, upstreams: SimulatedUpstreams, published_characters: ModuleType) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, persona="cleo", status=500, acts=True, first=1))
    assert status_of(published_characters, lambda: cleo.chat(**LEAD, message="hey")) == 500
    assert cleo.chat(**LEAD, message="hey").silent == "duplicate_message", "the first landed, its text is lost"
