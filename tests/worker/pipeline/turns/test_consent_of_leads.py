"""The scope "lead": who opts out of one persona opts out of all that share it, before the receipt returns."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp
from worker.domain.reply import Reply
from worker.pipeline.producer import Producer
from worker.store import StoreError

BEA = Conversation("bea", "@lead")
OUTREACH = [AiOpener, EventTrigger, FollowUp]
SKIPPED = ["skipped: the lead opted out"]


@pytest.fixture
def shared(make_shop):
    """A shop whose personas share what leads say."""

    def make(**consent):
        shop = make_shop(consent={"scope": "lead", **consent})
        shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
        return shop

    return make


@pytest.fixture
def outreach(say):
    """An event of one of the kinds that need consent, of the other persona."""

    def make(kind, **fields):
        more = {"event_type": "story_reaction"} if kind is EventTrigger else {}
        return say(kind=kind, **{"persona": "bea", **more, **fields})

    return make


@pytest.mark.parametrize("kind", OUTREACH)
def test_no_other_persona_writes_first_any_more(shared, say, outreach, kind):
    shop = shared()
    shop.producer.enqueue(say("stop"))
    shop.producer.enqueue(outreach(kind))
    assert shop.work(BEA) == SKIPPED
    assert shop.asked() == []
    shop.producer.enqueue(say("a question", persona="bea"))
    assert shop.work(BEA) == ["answered"]


@pytest.mark.parametrize("kind", OUTREACH)
@pytest.mark.parametrize("point", ["after begin", "before ask"])
def test_no_call_begins_after_the_receipt(shared, say, outreach, kind, point, stand_still):
    shop = shared()
    shop.producer.enqueue(outreach(kind))
    if point == "before ask":
        # The mark is written while the turn makes its last steps before the call.
        step = shop.parts.store.steps.asking
        shop.parts.store.steps.asking = lambda grant: (step(grant), shop.producer.enqueue(say("stop")))[0]
    else:
        stand_still(point, lambda: shop.producer.enqueue(say("stop")))
    assert shop.work(BEA) == SKIPPED
    assert shop.asked() == []


@pytest.mark.parametrize("kind", [AiOpener, EventTrigger])
def test_an_answer_in_hand_does_not_go_out(shared, say, outreach, kind, stand_still):
    shop = shared()
    stand_still("after ask", lambda: shop.producer.enqueue(say("stop")))
    shop.producer.enqueue(outreach(kind))
    assert shop.work(BEA) == ["skipped: the lead opted out; written, not sent: 1"]
    assert shop.texts() == []


def test_no_further_bubble_begins(shared, say, outreach, store):
    shop = shared()
    shop.producer.enqueue(outreach(EventTrigger))
    grant = store.steps.begin(BEA, "t")
    store.steps.record(grant, Reply(bubbles=("a", "b"), pauses=(30.0,)).to_json())
    store.steps.hold(grant, 30, "pacing", unknown=False, bubbles_sent=1)
    shop.producer.enqueue(say("stop"))
    shop.let_holds_run_out()
    assert shop.work(BEA) == ["skipped: the lead opted out; written, not sent: 1; bubbles delivered before: 1"]
    assert shop.texts() == []


def test_who_starts_again_starts_for_all(shared, say, outreach, store):
    shop = shared()
    for persona in ("ava", "bea"):
        shop.producer.enqueue(say("stop", persona=persona))
    shop.producer.enqueue(say("start", persona="bea"))
    assert [store.consents.of(Conversation(persona, "@lead")).state for persona in ("ava", "bea")] == ["in", "in"]
    assert store.consents.of_lead("@lead").state == "in"
    shop.work()
    shop.producer.enqueue(outreach(AiOpener, persona="ava"))
    assert shop.work() != SKIPPED


def test_a_persona_with_a_scope_of_its_own_is_no_part_of_it(make_shop, say, outreach):
    own = {"api_key": "ft_sk_bea", "consent": {"scope": "persona"}}
    shop = make_shop(consent={"scope": "lead"}, personas={"ava": {"api_key": "ft_sk_ava"}, "bea": own})
    shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
    shop.producer.enqueue(say("stop"))
    shop.producer.enqueue(outreach(AiOpener))
    assert shop.work(BEA) == ["answered"]


def test_silence_is_that_of_all_personas(shared, say):
    shop = shared(later_messages="silence")
    shop.producer.enqueue(say("stop"))
    shop.producer.enqueue(say("hello?", persona="bea"))
    assert shop.work(BEA) == SKIPPED


def test_who_opted_in_with_one_persona_is_on_the_list_of_all(shared, say, outreach):
    shop = shared(outreach="only_opted_in")
    shop.producer.enqueue(outreach(AiOpener))
    assert shop.work(BEA) == ["skipped: the lead has not opted in"]
    shop.producer.enqueue(say("subscribe"))
    shop.producer.enqueue(outreach(AiOpener))
    assert shop.work(BEA) == ["answered"]


# --- the errand -------------------------------------------------------------------------------------------------------


@pytest.fixture
def crashed(shared, say, monkeypatch, store, lead):
    """A shop whose producer died when the word was accepted and not told yet."""
    shop = shared()

    def die(conversation):
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(shop.parts.store.consents, "tell", die)
        with pytest.raises(StoreError):
            shop.producer.enqueue(say("stop", event_id="s"))
    assert store.consents.of_lead("@lead") is None
    return shop


def test_a_beat_tells_what_a_producer_could_not(crashed, store, lead, outreach):
    store.redis.zadd(store.keys.of(lead).errands, {f"consent lead {lead.name}": 0})
    crashed.parts.upkeep.look()
    assert store.consents.of_lead("@lead").state == "out"
    assert store.redis.zcard(store.keys.of(lead).errands) == 0


def test_the_same_event_again_tells_it_too(crashed, say, store):
    assert crashed.producer.enqueue(say("stop", event_id="s")).status == "duplicate"
    assert store.consents.of_lead("@lead").state == "out"


def test_what_is_said_while_it_is_told_is_told_as_well(shared, make_store, say, store, lead, monkeypatch):
    shop, other = shared(), make_store(consent={"scope": "lead"})
    other.consents.tell = lambda conversation: None
    write = shop.parts.store.consents.write_for_all

    def meanwhile(*said):
        write(*said)
        other.inbox.accept(say("start"))

    monkeypatch.setattr(shop.parts.store.consents, "write_for_all", meanwhile)
    shop.producer.enqueue(say("stop"))
    assert store.redis.zcard(store.keys.of(lead).errands) == 1
    monkeypatch.undo()
    shop.parts.store.consents.tell(lead)
    assert store.consents.of_lead("@lead").state == "in"


def test_a_slow_telling_does_not_undo_what_was_said_later(shared, say, store, lead, monkeypatch):
    shop = shared()
    write = shop.parts.store.consents.write_for_all

    def slowly(*said):
        monkeypatch.undo()
        shop.producer.enqueue(say("start"))
        assert write(*said) == "nothing"

    monkeypatch.setattr(shop.parts.store.consents, "write_for_all", slowly)
    shop.producer.enqueue(say("stop"))
    assert store.consents.of_lead("@lead").state == "in"


def test_an_erased_lead_stays_out_for_all_personas(make_shop, say, outreach, store, lead):
    shop = make_shop(consent={"scope": "lead", "hash_key": "a key of sixteen"})
    shop.producer = Producer(shop.parts.settings, store=shop.parts.store)
    shop.producer.enqueue(say("stop"))
    shop.work()
    forgetting = shop.parts.store.forgetting
    assert forgetting.forget(lead, forgetting.traces(lead)).status == "forgotten"
    assert store.redis.hlen(store.keys.lead("@lead").consents_of_leads) == 0
    shop.producer.enqueue(outreach(AiOpener))
    assert shop.work(BEA) == SKIPPED
    shop.producer.enqueue(say("start", persona="bea"))
    shop.work(BEA)
    shop.producer.enqueue(outreach(AiOpener, persona="ava"))
    assert shop.work() != SKIPPED
