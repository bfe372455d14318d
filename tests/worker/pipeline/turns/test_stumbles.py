"""An error of our own in the middle of a turn: told with its place, held, and no event's end before it is its own."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from config.settings import Persona, Retry, Validity
from worker.adapters import channel
from worker.domain.conversation import Conversation
from worker.domain.decisions import End, Rules, Wait
from worker.domain.events import EventTrigger
from worker.pipeline import turn
from worker.pipeline.openers import Openers
from worker.pipeline.stumbles import LIMIT, of_stumble
from worker.store import StoreError
from worker.store.conversations.turn_steps import Stumbled, TurnSteps

OTHER = Conversation("ava", "@other")
ESCALATES = {"ava": {"api_key": "ft_sk_ava", "on_dead": {"action": "escalate_to_human"}}}


@pytest.fixture
def break_in(monkeypatch):
    """Let a function that turns use fail, for the lead's conversation only if told so; returns how to mend it."""

    def make(name, place=turn, when=lambda *_: True):
        real = getattr(place, name)

        def broken(*arguments, **options):
            if when(*arguments):
                raise LookupError("SECRET")
            return real(*arguments, **options)

        monkeypatch.setattr(place, name, broken)
        return lambda: monkeypatch.setattr(place, name, real)

    return make


@pytest.fixture
def answer_another(say):
    """Another lead of the persona is answered."""

    def make(shop):
        shop.producer.enqueue(say("b", target="@other"))
        assert shop.work(OTHER) == ["answered"]

    return make


def of_lead(head, *_):
    return head.event_id == "e1"


def test_an_error_before_the_call_is_told_and_held_and_costs_no_attempt(shop, say, lead, store, break_in, caplog):
    mend = break_in("before_asking")
    shop.producer.enqueue(say("a", event_id="e1"))
    phrases = shop.work(turns=3 * LIMIT)
    assert all("internal error: LookupError at " in phrase for phrase in phrases)
    assert (shop.asked(), shop.fates()) == ([], {"waiting": 1})
    journal = store.redis.hgetall(store.keys.of(lead).journal(lead, "e1"))
    assert (journal["asks"], "asks_vanished" in journal, "ask_unknowns" in journal) == ("0", False, False)
    assert "error=LookupError at=worker." in caplog.text
    assert "SECRET" not in caplog.text + str(phrases)
    mend()
    assert shop.work() == ["answered"]


def test_an_error_of_one_event_alone_ends_it_and_says_why(make_shop, say, store, break_in):
    shop = make_shop(personas=ESCALATES)
    break_in("before_asking", when=of_lead)
    shop.producer.enqueue(say("a", event_id="e1"))
    for number in range(LIMIT):
        assert "internal error" in shop.work(turns=1)[0]
        shop.producer.enqueue(say("b", target="@other", event_id=f"o{number}"))
        assert shop.work(OTHER) == ["answered"]
    (phrase,) = shop.work(turns=1)
    assert phrase.startswith(f"dead: poison: internal error, {LIMIT + 1} times, the last one LookupError at ")
    cause = store.dead_letters.newest()[0].cause
    assert cause.startswith(f"poison_error times={LIMIT + 1} error=LookupError at=worker.")
    assert len(shop.texts()) == LIMIT + 1, "the farewell was sent"


def test_what_may_have_been_acted_on_follows_its_policy(shop, say, store, break_in):
    break_in("before_sending")
    shop.producer.enqueue(say("a"))
    shop.work()
    break_in("of_answer", place=__import__("worker.pipeline.ask", fromlist=["of_answer"]))
    shop.producer.enqueue(say(kind=EventTrigger, event_type="t"))
    first, second = shop.work(turns=2)
    assert "internal error" in first
    assert second.startswith("dead: outcome unknown")
    assert len(shop.asked()) == 2


def test_a_reply_in_hand_is_kept_and_never_asked_for_again(
    make_shop, say, store, lead, break_in, answer_another, caplog
):
    shop = make_shop(personas=ESCALATES)
    mend = break_in("fill", place=channel, when=lambda _, reply, *__: reply.bubbles == ("You said: a",))
    shop.producer.enqueue(say("a", event_id="e1"))
    for _ in range(LIMIT):
        shop.work(turns=1)
        answer_another(shop)
    (phrase,) = shop.work(turns=1)
    assert phrase.startswith("dead: poison: internal error")
    assert "farewell" not in caplog.text, "the answer is there"
    assert len(shop.asked()) == LIMIT + 1
    mend()
    store.dead_letters.replay(lead, "e1", "append")
    assert shop.work() == ["answered"]
    assert len(shop.asked()) == LIMIT + 1
    assert shop.texts()[-1] == ["You said: a"]


def test_an_error_after_each_send_repeats_it_a_few_times_at_most(shop, say, upstreams, break_in):
    break_in("of_delivery")
    shop.producer.enqueue(say("a"))
    assert shop.work()[-1].startswith("dead: poison: internal error")
    sends = upstreams.deliveries("session-1")
    assert len(sends) == LIMIT
    assert len({send.idempotency_key for send in sends}) == 1


@pytest.mark.parametrize("beside", ["after_delivery", "ended"])
def test_what_is_noted_beside_the_end_does_not_undo_it(shop, say, break_in, beside, caplog):
    break_in(beside, place=turn if beside == "after_delivery" else Openers)
    shop.producer.enqueue(say("a"))
    assert shop.work() == ["answered"]
    assert len(shop.texts()) == 1
    assert "not noted beside the end of an event: error=LookupError at=worker." in caplog.text
    assert "SECRET" not in caplog.text


def test_a_turn_that_ended_before_the_error_stays_as_it_is(shop, say, monkeypatch):
    monkeypatch.setattr(turn.metrics, "died", lambda *_: 1 / 0)
    shop.fail(status=422, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert shop.fates() == {"dead": 1}


def decide(stumbled, kind="inbound_chat", age_seconds=0, called=False):
    head = SimpleNamespace(kind=kind, accepted_at=0)
    rules = Rules(Persona(api_key="k"), Retry(), Validity())
    return of_stumble(head, "here", stumbled, age_seconds * 1000, called, rules, random.Random(1))


def test_pauses_grow_up_to_the_limit():
    seconds = [decide(Stumbled(times, 0, False)).seconds for times in (1, 2, 3, 4, 40)]
    for pause, expected in zip(seconds, (2, 8, 32, 120, 120), strict=True):
        assert 0.8 * expected <= pause <= 1.2 * expected


def test_it_ends_when_it_is_too_old_or_when_the_errors_are_its_own():
    assert isinstance(decide(Stumbled(500, LIMIT - 1, False), age_seconds=47 * 3600), Wait)
    assert isinstance(decide(Stumbled(500, 0, False), age_seconds=49 * 3600), End)
    assert isinstance(decide(Stumbled(LIMIT, LIMIT, False)), End)
    assert isinstance(decide(Stumbled(1, 0, False), kind="reaction", age_seconds=47 * 3600), Wait)


def test_one_that_gives_way_does_not_come_again_at_once():
    assert decide(Stumbled(1, 0, False), kind="follow_up").asked
    assert not decide(Stumbled(1, 0, False)).asked
    assert decide(Stumbled(1, 0, False), called=True).unknown


def test_a_farewell_that_stumbles_too_leaves_the_dead_letter(make_shop, say, break_in, answer_another, caplog, store):
    shop = make_shop(personas=ESCALATES)
    break_in("before_asking", when=of_lead)
    break_in("fill", place=channel, when=lambda _, reply, *__: reply.fate == "dead")
    shop.producer.enqueue(say("a", event_id="e1"))
    for _ in range(LIMIT):
        shop.work(turns=1)
        answer_another(shop)
    (phrase,) = shop.work(turns=1)
    assert phrase.startswith("dead: poison: internal error")
    assert "farewell not sent: error=LookupError at=worker." in caplog.text
    assert [letter.event_id for letter in store.dead_letters.newest()] == ["e1"]


def test_a_store_that_is_away_is_no_stumble_of_the_farewell(make_shop, say, break_in, answer_another, monkeypatch):
    shop = make_shop(personas=ESCALATES, worker={"store_wait_seconds": 0.1})
    break_in("before_asking", when=of_lead)
    shop.producer.enqueue(say("a", event_id="e1"))
    for _ in range(LIMIT):
        shop.work(turns=1)
        answer_another(shop)
    with monkeypatch.context() as patched:
        patched.setattr(TurnSteps, "record", unreachable)
        assert shop.work(turns=1)[0].startswith("left: store")
    assert shop.fates()["waiting"] == 1


def unreachable(*_, **__):
    raise StoreError


def test_a_store_that_is_away_beside_the_end_is_no_stumble(make_shop, say, monkeypatch):
    shop = make_shop(worker={"store_wait_seconds": 0.1})
    shop.producer.enqueue(say("a"))
    with monkeypatch.context() as patched:
        patched.setattr(Openers, "ended", unreachable)
        assert shop.work(turns=1)[0].startswith("left: store")
    assert len(shop.texts()) == 1


def test_an_error_of_our_own_in_a_turn_that_is_tried_alone_is_held_as_any_other(shop, say, lead, store, break_in):
    break_in("before_asking")
    shop.producer.enqueue(say("a", event_id="e1"))
    store.steps.begin(lead, "token")
    result = shop.parts.turns.run_alone(lead, "token")
    assert (result.outcome, store.inbox.waiting(lead)) == ("held", 1)
