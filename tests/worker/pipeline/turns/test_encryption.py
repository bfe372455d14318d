"""Turns over encrypted content: as ever with the keys; without them nothing dies and nothing is lost."""

from __future__ import annotations

import base64

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.conversation import Conversation
from worker.domain.events import EventTrigger

ONE, TWO, THREE = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3))


@pytest.fixture
def shop_with(make_shop):
    """A shop that uses these keys, for its producer too."""

    def make(*keys, **overrides):
        shop = make_shop(encryption={"keys": keys}, **overrides)
        shop.producer = type(shop.producer)(shop.parts.settings, store=shop.parts.store)
        return shop

    return make


def test_a_turn_goes_as_ever_and_nothing_can_be_read_in_the_store(shop_with, say, store, presigned):
    shop = shop_with(ONE)
    shop.producer.enqueue(say("PLANTED one"))
    shop.producer.enqueue(say("PLANTED two", attachments=({"url": presigned},)))
    shop.producer.enqueue(say(kind=EventTrigger, event_type="story", context={"words": "PLANTED"}))
    assert [phrase.partition(",")[0] for phrase in shop.work()] == ["answered", "answered"]
    assert shop.asked()[-2].fields["message"] == "PLANTED one\nPLANTED two"
    stored = [store.redis.hgetall(key) for key in store.redis.scan_iter(match="parley:*:journal:*")]
    assert len(stored) == 3
    assert "PLANTED" not in str(stored)
    assert all(value.startswith("aes-siv:") for each in stored for name, value in each.items() if name == "image_url")


def test_an_event_without_its_key_waits_and_is_answered_when_the_key_is_back(shop_with, say, store, lead, caplog):
    owner, other = shop_with(ONE), shop_with(TWO, retry={"quick_pause_seconds": 0, "attempts": 2})
    owner.producer.enqueue(say("hello", event_id="e"))
    phrases = other.work(turns=6)
    assert len(phrases) == 6
    assert all("content cannot be decrypted: key" in phrase for phrase in phrases)
    assert other.asked() == []
    fields = store.redis.hgetall(store.keys.of(lead).journal(lead, "e"))
    assert (fields["asks"], fields["step"], "first_begun_at" in fields) == ("0", "waiting", False)
    assert "turn held: undecryptable" in caplog.text
    assert "hello" not in caplog.text
    assert owner.work()[0].startswith("answered")
    assert owner.fates() == {"answered": 1}


def test_it_waits_for_a_minute_and_says_why(shop_with, say, store, lead):
    shop_with(ONE).producer.enqueue(say())
    phrase = shop_with().run()
    seconds = float(phrase.removeprefix("held for ").partition(" ")[0])
    assert 48 <= seconds <= 72
    assert "is not in PARLEY_ENCRYPTION__KEYS" in phrase


def test_a_stored_reply_without_its_key_is_kept_and_delivered_once(shop_with, say, store, lead):
    owner, other = shop_with(ONE), shop_with(TWO)
    owner.fail(FaultKind.ANSWER, service="captivate", status=503, first=1)
    owner.producer.enqueue(say("hello"))
    owner.run()
    owner.let_holds_run_out()
    assert all("content cannot be decrypted" in phrase for phrase in other.work(turns=3))
    assert [phrase.partition(",")[0] for phrase in owner.work()] == ["answered"]
    assert (len(owner.asked()), len(owner.texts())) == (1, 1)


def test_a_seal_ends_what_can_never_be_read_again(shop_with, say, store, lead):
    shop_with(ONE).producer.enqueue(say())
    other = shop_with(TWO)
    store.seals.seal(lead, "kim", "the key is lost")
    assert other.work() == ["sealed: the conversation is sealed"]
    assert other.fates() == {"sealed": 1}


def test_a_turn_that_cannot_read_its_content_does_not_keep_others_from_trying_a_closed_gate(
    shop_with, say, store, lead, try_gate
):
    shop_with(ONE).producer.enqueue(say())
    other = shop_with(TWO)
    store.personas.close_for_probing("ava", "credits", "credits out (402)")
    other.run()
    assert try_gate("credits") == lead
    assert "content cannot be decrypted" in other.run()
    other.producer.enqueue(say(target="@readable"))
    readable = Conversation("ava", "@readable")
    other.run(readable)
    assert try_gate("credits") == readable
    assert other.run(readable).startswith("answered")


def test_a_first_reply_that_cannot_be_read_is_delivered_by_a_process_that_can(
    shop_with, say, lead, stand_still, lose_lease_now
):
    """Another process, which has a newer key already, lost its lease and brought it meanwhile."""
    shop, newer = shop_with(ONE), shop_with(THREE, ONE)
    shop.producer.enqueue(say("a"))
    grant = newer.parts.store.steps.begin(lead, "a turn that loses its lease")
    lose_lease_now()
    stand_still("after ask", lambda: newer.parts.store.steps.record(grant, '{"bubbles":["the first"]}'))
    assert "content cannot be decrypted" in shop.run()
    assert shop.delivered() == []
    assert newer.work()[-1] == "answered"
    assert shop.texts() == [["the first"]]
