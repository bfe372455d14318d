"""The doors and the clockwork, through real processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery, signature
from redis import Redis

from config.settings import load
from simulation.servers.system import RunningSystem
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp, InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = pytest.mark.acceptance

AT_ONCE = {"PARLEY_JOIN__SETTLE_SECONDS": "0"}


@pytest.fixture(scope="module")
def running():
    """One system for those tests that need nothing of their own: a worker, a beat, and its settings."""
    with RunningSystem(settings=AT_ONCE) as system:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in system.environment.items():
                patch.setenv(name, value)
            settings = load(env_file=None)
        yield system, settings


@pytest.fixture
def shared(running):
    """That system, its upstreams as new."""
    running[0].upstreams.reset()
    return running


@pytest.fixture
def open_store():
    """The store of a running system."""
    stores = []

    def make(settings):
        stores.append(Store(settings, connections=4))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def texts(system, session_id="session-1"):
    return [message["text"] for delivery in system.upstreams.deliveries(session_id) for message in delivery.messages]


def new_letters(store, before):
    return [letter for letter in store.dead_letters.newest(100) if letter not in before]


def test_a_producer_that_only_speaks_celery(shared, open_store, channel, eventually):
    system, settings = shared
    store = open_store(settings)
    before = store.dead_letters.newest(100)
    celery = Celery(broker=system.redis.url, set_as_current=False)
    event = {
        "kind": "inbound_chat",
        "persona": "ava",
        "target": "@lead",
        "message": "PLANTED hi",
        "channel": channel,
    }
    celery.send_task("tasks.accept", args=[event], queue="accept", ignore_result=True)
    eventually(lambda: texts(system) == ["You said: PLANTED hi"], "the answer")
    too_long = {**event, "message": "x" * 10_001}
    for wrong in ({**event, "persona": "zoe"}, {**event, "message": ["words"]}, too_long, "PLANTED", None):
        celery.send_task("tasks.accept", args=[wrong], queue="accept", ignore_result=True)
    celery.close()
    letters = eventually(lambda: (found := new_letters(store, before)) and len(found) == 5 and found, "dead letters")
    assert {letter.cause.partition(" ")[0] for letter in letters} == {"persona_not_known", "invalid_event", "too_large"}
    assert sum(account.unexplained for account in store.books.accounts()) == 0
    assert "PLANTED" not in system.log_of("worker")


def test_the_queue_turns_takes_events_too(shared, channel, eventually):
    system, _ = shared
    with Celery(broker=system.redis.url, set_as_current=False) as celery:
        event = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": "hi", "channel": channel}
        celery.send_task("tasks.accept", args=[event], queue="turns", ignore_result=True)
        eventually(lambda: texts(system) == ["You said: hi"], "the answer")


def test_what_a_celery_producer_sends_is_taken_as_meant_by_whatever_queue(shared, open_store, channel, eventually):
    system, settings = shared
    store = open_store(settings)
    before = store.dead_letters.newest(100)
    event = {"kind": "inbound_chat", "persona": "ava", "message": "hi", "channel": channel}
    taken = {
        "no queue": {},
        "no queue, a priority": {"priority": 9},
        "a priority": {"queue": "accept", "priority": 9},
        "a priority in turns": {"queue": "turns", "priority": 6},
        "packed": {"queue": "accept", "compression": "zlib"},
        "packed in turns": {"queue": "turns", "compression": "zlib"},
    }
    refused = {
        "eta": {"queue": "accept", "countdown": 3600},
        "eta in turns": {"queue": "turns", "countdown": 3600},
        "expired": {"queue": "accept", "expires": datetime.now(UTC) - timedelta(hours=1)},
        "expired in turns": {"queue": "turns", "expires": datetime.now(UTC) - timedelta(hours=1)},
        "a link": {"queue": "accept", "link": signature("other")},
        "a link in turns": {"queue": "turns", "link": signature("other")},
    }
    for protocol in (1, 2):
        with Celery(broker=system.redis.url, set_as_current=False) as celery:
            celery.conf.task_protocol = protocol
            for name, options in {**taken, **refused}.items():
                target = {"target": f"{name}, {protocol}"}
                celery.send_task("tasks.accept", args=[{**event, **target}], ignore_result=True, **options)
    letters = eventually(
        lambda: (found := new_letters(store, before)) and len(found) == 2 * len(refused) and found, "the letters"
    )
    assert {letter.conversation.target for letter in letters} == {f"{name}, {p}" for name in refused for p in (1, 2)}
    eventually(lambda: len(texts(system)) == 2 * len(taken), "the answers")
    asked = {call.target for call in system.upstreams.calls() if call.service == "fluidtalk"}
    assert asked == {f"{name}, {protocol}" for name in taken for protocol in (1, 2)}
    assert store.queues.look().unread == {}


@pytest.mark.slow
def test_events_sent_through_celery_keep_their_order_and_survive_a_killed_worker(start, channel, eventually):
    system, _ = start(settings={**AT_ONCE, "PARLEY_JOIN__MAX_EVENTS": "1"}, workers=2)
    sent = [f"message {number}" for number in range(300)]
    with Celery(broker=system.redis.url, set_as_current=False) as celery:
        for number, message in enumerate(sent):
            event = {
                "kind": "inbound_chat",
                "persona": "ava",
                "target": "@lead",
                "message": message,
                "channel": channel,
            }
            celery.send_task("tasks.accept", args=[event], queue="accept", ignore_result=True)
            if number == 150:
                system.workers[0].kill()
    eventually(lambda: len(set(texts(system))) == 300, "all answers", seconds=90)
    first_asked = list(dict.fromkeys(c.fields["message"] for c in system.upstreams.calls() if c.path.endswith("/chat")))
    assert first_asked == sent


@pytest.mark.slow
def test_the_cadence_is_dispatched_once_by_three_beats(start, open_store, channel, eventually):
    system, settings = start(settings={**AT_ONCE, "PARLEY_FOLLOW_UPS__DELAYS_SECONDS": "[1, 1]"}, beats=3)
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
        eventually(lambda: len(texts(system)) == 3, "two follow-ups")
        again = InboundChat(persona="ava", target="@lead", message="back", channel=channel)
        producer.enqueue(again)
        eventually(lambda: len(texts(system)) == 6, "the cadence again")
    nudge = "Are you still there, @lead?"
    assert texts(system) == ["You said: hi", nudge, nudge, "You said: back", nudge, nudge]


def test_the_lead_who_keeps_typing_is_answered_when_done(start, open_store, channel, eventually):
    system, settings = start(settings={"PARLEY_JOIN__SETTLE_SECONDS": "0.5"})
    with Producer(settings) as producer:
        for word in ("one", "two", "three"):
            producer.enqueue(InboundChat(persona="ava", target="@lead", message=word, channel=channel))
        eventually(lambda: texts(system), "the answer")
    (call,) = [call for call in system.upstreams.calls() if call.service == "fluidtalk"]
    assert call.fields["message"] == "one\ntwo\nthree"


def test_no_content_in_the_broker_and_the_logs(start, open_store, channel, eventually):
    system, settings = start(settings=AT_ONCE, workers=0, beats=0)
    planted = {**channel, "session_id": "PLANTED-session"}
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="PLANTED words", channel=planted))
        with Redis.from_url(system.redis.url, decode_responses=True) as redis:
            doorbells = redis.lrange("turns", 0, -1)
        assert len(doorbells) == 1
        assert "PLANTED" not in doorbells[0]
        system.start_worker()
        eventually(lambda: texts(system, "PLANTED-session"), "the answer")
    # The channel has the answer a moment before the turn says how it ended.
    eventually(lambda: "turn: answered" in system.log_of("worker"), "the end of the turn in the log")
    log = system.log_of("worker")
    assert not [secret for secret in ("PLANTED", "ft_sk_") if secret in log]


def test_sigterm_finishes_the_turn_under_way(start, open_store, channel, eventually):
    system, settings = start(settings=AT_ONCE, latency_seconds=1.0)
    store = open_store(settings)
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
        eventually(lambda: system.upstreams.summary()["fluidtalk"].in_flight, "the call")
        system.workers[0].terminate()
        assert system.workers[0].wait(60) == 0
    assert texts(system) == ["You said: hi"]
    words = [moment.word for moment in store.timeline.of(Conversation("ava", "@lead"))]
    assert words == ["accepted", "asking", "replied", "answered"]


def test_an_explicit_follow_up(shared, channel, eventually):
    system, settings = shared
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@follow-up", message="hi", channel=channel))
        eventually(lambda: texts(system), "the answer")
        producer.enqueue(FollowUp(persona="ava", target="@follow-up"))
        eventually(lambda: len(texts(system)) == 2, "the follow-up")


@pytest.mark.slow
def test_deploys_in_a_row_are_no_poison_and_nobody_waits_for_a_lease(start, channel, eventually):
    lease = {"PARLEY_LEASE__TTL_SECONDS": "30", "PARLEY_LEASE__RENEW_SECONDS": "5"}
    system, settings = start(settings={**AT_ONCE, **lease, "PARLEY_WORKER__STOP_SECONDS": "0.5"}, latency_seconds=60.0)

    def calls_so_far():
        return system.upstreams.summary()["fluidtalk"].in_flight

    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    for number in range(1, 5):
        eventually(lambda n=number: calls_so_far() == n, "the call, long before the lease before it ran out")
        old = system.workers[-1]
        system.start_worker()
        if number == 4:
            system.upstreams.set_latency(0)
        old.terminate()
        assert old.wait(30) == 0, "it does not wait for the persona, which takes a minute"
    eventually(lambda: texts(system) == ["You said: hi"], "the answer of the fifth worker")


@pytest.mark.slow
def test_a_turn_that_takes_too_long_after_sigterm_is_handed_over(start, channel, eventually):
    system, settings = start(settings={**AT_ONCE, "PARLEY_WORKER__STOP_SECONDS": "1"}, latency_seconds=60.0)
    with Producer(settings) as producer:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    eventually(lambda: system.upstreams.summary()["fluidtalk"].in_flight, "the call")
    system.upstreams.set_latency(0)
    system.workers[0].terminate()
    assert system.workers[0].wait(30) == 0, "it does not wait for the persona, which takes a minute"
    assert "handed over" in system.log_of("worker")
    system.start_worker()
    eventually(lambda: texts(system) == ["You said: hi"], "the other worker's answer")
