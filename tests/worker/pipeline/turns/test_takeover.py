"""A person takes over while turns run: what was asked is kept, nothing goes out, nothing is lost."""

from __future__ import annotations

import random
import threading
import time

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.pipeline.producer import Producer

PACED = {"enabled": True, "characters_per_second": 1000.0, "minimum_seconds": 0.001, "maximum_seconds": 0.002}


@pytest.fixture
def at_work():
    """Run something in a thread; the test fails when it raised."""
    failures: list[BaseException] = []
    threads: list[threading.Thread] = []

    def start(target):
        def guarded():
            try:
                target()
            except BaseException as failure:
                failures.append(failure)

        threads.append(threading.Thread(target=guarded))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert failures == []


@pytest.fixture
def step_of(store, lead):
    """The step of the event at the head."""

    def read():
        shard = store.keys.of(lead)
        head = store.redis.lindex(shard.inbox(lead), 0)
        return head and store.redis.hget(shard.journal(lead, head), "step")

    return read


def asked_and_claimed(shop, say, store, lead, upstreams, step_of, eventually):
    """A message whose persona call is under way when an operator claims; returns what its turn said."""
    upstreams.set_latency(0.5, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    phrases = []
    turn = threading.Thread(target=lambda: phrases.append(shop.run()))
    turn.start()
    eventually(lambda: step_of() == "asking", "the persona is being asked")
    assert store.takeovers.claim(lead, "kim").status == "claimed"
    turn.join(20)
    upstreams.set_latency(0.0)
    return phrases[0]


def test_a_reply_that_comes_during_a_takeover_waits_and_is_delivered_after_hand_back(
    shop, say, store, lead, upstreams, step_of, eventually
):
    phrase = asked_and_claimed(shop, say, store, lead, upstreams, step_of, eventually)
    assert phrase.startswith("kept: a person has taken over")
    assert step_of() == "replied"
    shop.producer.enqueue(say("b"))
    assert shop.run().startswith("taken over until")
    assert (shop.texts(), len(shop.asked())) == ([], 1)
    store.takeovers.hand_back(lead, "joined")
    assert shop.work() == ["answered", "answered"]
    assert shop.texts() == [["You said: a"], ["You said: b"]]
    assert len(shop.asked()) == 2
    assert shop.fates() == {"answered": 2}


def test_a_reply_that_was_dropped_at_hand_back_is_never_sent(shop, say, store, lead, upstreams, step_of, eventually):
    asked_and_claimed(shop, say, store, lead, upstreams, step_of, eventually)
    shop.producer.enqueue(say("b"))
    shop.producer.enqueue(say("c"))
    store.takeovers.hand_back(lead, "last")
    assert shop.work() == ["answered"]
    assert shop.texts() == [["You said: c"]]
    assert shop.fates() == {"answered": 1, "skipped": 2}


def test_a_worker_that_dies_with_the_kept_reply_loses_nothing(shop, say, store, lead, begin_as):
    shop.producer.enqueue(say("a"))
    grant = begin_as("a worker that dies")
    store.takeovers.claim(lead, "kim")
    assert store.steps.record(grant, '{"bubbles":["from the dead"]}').status == "taken_over"
    store.redis.hset(store.keys.of(lead).conversation(lead), "lease_until", 1)
    store.takeovers.hand_back(lead, "joined")
    assert shop.work() == ["answered"]
    assert (shop.texts(), shop.asked()) == ([["from the dead"]], [])


def test_a_call_without_an_answer_during_a_takeover_is_decided_after_hand_back(
    shop, say, store, lead, upstreams, step_of, eventually
):
    shop.fail(FaultKind.ACT_THEN_DROP, nth=1, service="fluidtalk")
    phrase = asked_and_claimed(shop, say, store, lead, upstreams, step_of, eventually)
    assert phrase.startswith("held for")
    shop.work(turns=3)
    assert len(shop.asked()) == 1
    store.takeovers.hand_back(lead, "joined")
    shop.work()
    assert len(shop.asked()) == 2
    assert shop.fates() == {"answered": 1}


def test_openers_follow_ups_and_triggers_wait_too(shop, say, store, lead):
    shop.producer.enqueue(say("a"))
    shop.work()
    store.takeovers.claim(lead, "kim")
    shop.producer.enqueue(say(kind=FollowUp))
    assert shop.run().startswith("taken over until")
    store.takeovers.hand_back(lead, "none")
    assert shop.run() == "nothing to do"
    assert shop.fates() == {"answered": 1, "skipped": 1}


@pytest.mark.parametrize("action", ["escalate_to_human", "escalate_to_agent_router", "escalate_to_agent"])
def test_an_escalation_that_was_delivered_freezes_the_conversation(make_shop, say, upstreams, store, lead, action):
    on_dead = {"action": action, "agent_id": "agent-1"}
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "on_dead": on_dead}})
    shop.fail(status=422, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert len(upstreams.deliveries("session-1")) == 1
    shop.producer.enqueue(say("b"))
    assert shop.run().endswith("UTC: escalated")
    store.takeovers.hand_back(lead, "joined")
    shop.work()
    assert shop.texts()[1:] == [["You said: b"]]
    assert shop.fates() == {"answered": 1, "dead": 1}


def test_an_escalation_that_the_channel_refused_freezes_nothing(make_shop, say, upstreams, store):
    on_dead = {"action": "escalate_to_human"}
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "on_dead": on_dead}})
    shop.fail(status=422, nth=1, service="fluidtalk")
    shop.fail(status=404, nth=1, service="captivate")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert store.takeovers.all() == []
    shop.producer.enqueue(say("b"))
    assert shop.work() == ["answered"]


def test_the_channel_may_take_over_and_hand_back(make_shop, say, channel, upstreams, store):
    takeover = {"livechat": "hold", "on_hand_back": "last"}
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "takeover": takeover}})
    producer = Producer(shop.parts.settings, store=shop.parts.store)
    for words in ("a", "b"):
        producer.enqueue(say(words, channel={**channel, "hasLivechat": True}))
    assert shop.run().endswith("UTC: livechat")
    assert shop.asked() == []
    producer.enqueue(say("c", channel={**channel, "hasLivechat": False}))
    assert shop.work() == ["answered, joined 1"]
    assert shop.texts() == [["You said: b", "You said: c"]]
    assert shop.fates() == {"answered": 1, "joined": 1, "skipped": 1}


def test_a_takeover_that_nobody_hands_back_ends_by_itself_when_it_was_quiet(make_shop, say, upstreams, store, lead):
    takeover = {"hand_back_after_seconds": 3600}
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "takeover": takeover}})
    shop.producer.enqueue(say("a"))
    store.takeovers.claim(lead, "kim")
    assert shop.run().startswith("taken over until")
    key = store.keys.of(lead).conversation(lead)
    for field in ("taken_over_at", "last_inbound"):
        store.redis.hincrby(key, field, -3_600_000)
    assert shop.work() == ["answered"]
    assert store.takeovers.all() == []


def test_a_takeover_between_two_bubbles_stops_the_rest(make_shop, say, upstreams, store, lead, settled_hold):
    shop = make_shop(pacing=PACED)
    shop.producer.enqueue(say("a\nb"))
    shop.run()
    assert shop.texts() == [["You said: a"]]
    store.takeovers.claim(lead, "kim")
    settled_hold()
    assert shop.run().startswith("taken over until")
    assert shop.texts() == [["You said: a"]]
    store.takeovers.hand_back(lead, "joined")
    shop.work()
    assert shop.texts() == [["You said: a"], ["You said: b"]]
    assert len(shop.asked()) == 1


def claimed_for_a_moment(store, conversation, chance):
    """Claim as the command does, and hand back; returns from when until when nothing may go out."""
    if store.takeovers.claim(conversation, "kim").status != "claimed":
        return []
    while store.takeovers.is_delivering(conversation):
        time.sleep(0.001)
    since = time.time()
    time.sleep(chance.uniform(0, 0.06))
    until = time.time()
    store.takeovers.hand_back(conversation, chance.choice(["joined", "last", "none"]))
    return [(since, until)]


@pytest.mark.parametrize("paced", [False, True])
def test_between_claim_and_hand_back_no_delivery_begins(make_shop, say, channel, upstreams, store, at_work, paced):
    """Turns, leads and an operator, all at once: no send reaches the channel while a person has the conversation."""
    shop = make_shop(pacing=PACED if paced else {}, retry={"pause_seconds": 0.01, "quick_pause_seconds": 0})
    upstreams.set_latency(0.0, 0.02, service="fluidtalk")
    upstreams.set_latency(0.0, 0.02, service="captivate")
    chance = random.Random(20261121 + paced)
    conversations = [Conversation("ava", f"@lead-{number}") for number in range(4)]
    held: dict[Conversation, list[tuple[float, float]]] = {each: [] for each in conversations}
    over = threading.Event()
    written = []

    def work(conversation):
        while not over.is_set():
            shop.run(conversation)
            time.sleep(0.001)

    def write():
        for number in range(120):
            target = chance.choice(conversations).target
            own = {**channel, "session_id": target}
            shop.producer.enqueue(say(f"{number}a\n{number}b", target=target, channel=own))
            written.append(number)
            time.sleep(0.01)

    for conversation in conversations:
        for _ in range(2):
            at_work(lambda each=conversation: work(each))
    leads = at_work(write)
    while leads.is_alive():
        conversation = chance.choice(conversations)
        held[conversation] += claimed_for_a_moment(store, conversation, chance)
    deadline = time.monotonic() + 30
    while store.books.accounts()[0].waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    over.set()
    sends = [call for call in upstreams.calls() if call.service == "captivate"]
    during = [
        (call.session_id, since, call.start_wall)
        for call in sends
        for since, until in held[Conversation("ava", call.session_id)]
        if since < call.start_wall < until
    ]
    assert during == []
    assert sum(map(len, held.values())) > 20
    assert len(sends) > 20
    fates = shop.fates()
    assert "unexplained" not in fates
    assert "waiting" not in fates
    assert sum(fates.values()) == len(written)


def test_the_phrases_and_timelines_of_a_takeover_show_no_content(
    shop, say, store, lead, upstreams, step_of, eventually, caplog
):
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", logger="httpcore")
    phrase = asked_and_claimed(shop, lambda _: say("PLANTED words"), store, lead, upstreams, step_of, eventually)
    store.takeovers.hand_back(lead, "none")
    shown = caplog.text + phrase + repr(store.timeline.of(lead)) + repr(store.takeovers.all())
    assert "kept" in shown
    assert "PLANTED" not in shown


@pytest.fixture
def begin_as(store, lead):
    """Begin a turn that must be granted."""
    return lambda token: store.steps.begin(lead, token)


@pytest.fixture
def settled_hold(store, lead):
    """The pause before the next bubble is over."""
    return lambda: store.redis.hdel(store.keys.of(lead).conversation(lead), "hold_until")
