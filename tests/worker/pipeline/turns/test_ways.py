"""A turn behind a company's proxy: each kind of call goes the way that its settings name."""

from __future__ import annotations

import pytest

from tests.worker.clients.http.forward_proxy import ForwardProxy
from worker import from_captivate
from worker.domain.conversation import Conversation

PARTS = ("fluidtalk", "captivate", "images")


@pytest.fixture
def proxies():
    """A proxy for each kind of call."""
    made = {part: ForwardProxy(login="me:p@ss") for part in PARTS}
    yield made
    for proxy in made.values():
        proxy.close()


def test_each_kind_of_call_goes_through_its_proxy(make_shop, proxies, channel, presigned, upstreams, caplog):
    def way(part, **values):
        return {**values, "proxy": proxies[part].url.replace("//", "//me:p%40ss@")}

    shop = make_shop(
        fluidtalk=way("fluidtalk", base_url=upstreams.fluidtalk_url, read_seconds=2, total_seconds=5),
        captivate=way("captivate", base_url=upstreams.captivate_url, read_seconds=2),
        images=way("images", allow_private_addresses=True),
    )
    payload = {**channel, "user_input": "look", "files": [{"url": presigned}]}
    shop.producer.enqueue(from_captivate(payload, persona="ava", target="@lead"))
    with caplog.at_level("DEBUG"):
        assert shop.work() == ["answered"]
    asked = {part: [line.split(" ")[1].partition("?")[0] for line in proxy.asked] for part, proxy in proxies.items()}
    assert asked == {
        "fluidtalk": [f"{upstreams.fluidtalk_url}/api/v1/bot/upload", f"{upstreams.fluidtalk_url}/api/v1/bot/chat"],
        "captivate": [f"{upstreams.captivate_url}/api/channel/v2/sendMessage"],
        "images": [presigned.partition("?")[0]],
    }
    assert "p@ss" not in caplog.text
    assert "p%40ss" not in caplog.text


def test_a_proxy_that_refuses_costs_no_answer(make_shop, say, proxies, upstreams, caplog):
    """Nothing was sent, so the event waits; it is not at fault."""
    shop = make_shop(
        fluidtalk={
            "base_url": upstreams.fluidtalk_url,
            "read_seconds": 2,
            "total_seconds": 5,
            "proxy": proxies["fluidtalk"].url,
        },
        gates={"circuit_failures": 2},
    )
    leads = [Conversation("ava", f"@lead{number}") for number in range(2)]
    for lead in leads:
        shop.producer.enqueue(say("hello", target=lead.target))
        assert "no connection" in shop.run(lead)
    assert shop.fates() == {"waiting": 2}
    assert shop.asked() == []
    assert "gate closed: persona ava cannot be reached (no answer: the proxy answered 407)" in caplog.text
