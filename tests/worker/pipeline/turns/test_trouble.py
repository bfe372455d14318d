"""When an upstream refuses, drops, or cannot be reached."""

from __future__ import annotations

import threading

import pytest

from simulation.upstreams.faults import FaultKind, FaultRule
from worker.adapters.channel import CaptivateChannel
from worker.adapters.images import ImageFetcher
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp
from worker.domain.failures import Unsendable


def test_a_busy_persona_is_asked_again_later_and_newer_messages_join(shop, say, upstreams, store):
    shop.fail(status=429, retry_after_seconds=7, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    phrase = shop.run()
    assert "throttled by the persona (429)" in phrase
    assert float(phrase.split()[2]) >= 7
    shop.producer.enqueue(say("b"))
    assert shop.run().startswith("held until")
    assert shop.work()[-1] == "answered, joined 1"
    assert shop.texts() == [["You said: a", "You said: b"]]


def test_retry_after_holds_the_whole_key_and_no_other(shop, say, upstreams):
    shop.fail(status=429, retry_after_seconds=30, persona="ava")
    shop.producer.enqueue(say("a"))
    shop.run()
    shop.producer.enqueue(say("a", target="@other"))
    assert "throttled" in shop.run(Conversation("ava", "@other"))
    assert len(shop.asked()) == 1
    shop.producer.enqueue(say("a", persona="bea"))
    assert shop.run(Conversation("bea", "@lead")).startswith("answered")


def test_a_refused_key_stops_its_persona_until_a_person_opens_the_gate(shop, say, upstreams, store):
    shop.fail(status=401, persona="ava")
    shop.producer.enqueue(say("a"))
    shop.work(turns=1)
    assert shop.run().startswith("quarantined")
    shop.producer.enqueue(say("b"))
    assert len(shop.asked()) == 1
    upstreams.clear_faults()
    store.personas.open_gate("ava", "quarantined")
    assert shop.work() == ["answered, joined 1"]


def test_without_credits_those_who_would_start_wait_and_one_try_opens_the_gate(
    make_shop, say, upstreams, store, try_gate
):
    shop = make_shop()
    upstreams.set_credits("ava", 1)
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say("a", target="@new"))
    assert "credits out (402)" in shop.run(Conversation("ava", "@new"))
    shop.producer.enqueue(say("b"))
    assert shop.work() == ["answered"], "a conversation that exists goes on"
    upstreams.set_credits("ava", None)
    new = Conversation("ava", "@new")
    shop.work(new, turns=1)
    assert shop.run(new).startswith("held until")
    assert try_gate("credits") == new
    assert shop.work(new) == ["answered"]
    assert store.personas.gates("ava") == {}
    assert shop.fates() == {"answered": 3}


def test_a_dropped_connection_is_asked_once_more_and_the_timeline_says_so(lead, shop, say, upstreams, store):
    shop.fail(FaultKind.ACT_THEN_DROP, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert len(shop.asked()) == 2
    assert "second ask" in [moment.word for moment in store.timeline.of(lead)]
    assert shop.fates() == {"answered": 1}


def test_an_opener_whose_answer_was_lost_is_proved_by_the_probe(shop, say, upstreams, store):
    shop.fail(FaultKind.ACT_THEN_DROP, nth=1, service="fluidtalk")
    shop.producer.enqueue(say(kind=AiOpener))
    assert "text lost" in shop.work()[-1]
    assert (shop.texts(), shop.fates()) == ([], {"answered": 1})


@pytest.mark.parametrize(("kind", "fate"), [(EventTrigger, "dead"), (FollowUp, "skipped")])
def test_what_must_not_be_doubled_is_not_asked_again(shop, say, upstreams, store, kind, fate):
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.fail(FaultKind.ACT_THEN_DROP, path="/api/v1/bot/action")
    shop.producer.enqueue(say(kind=kind, **({"event_type": "t"} if kind is EventTrigger else {})))
    shop.work()
    assert len(shop.asked()) == 2
    assert shop.fates() == {"answered": 1, fate: 1}


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_failing_delivery_never_causes_a_second_ask(shop, say, upstreams, store, status):
    shop.fail(status=status, first=3, service="captivate")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert len(shop.asked()) == 1
    assert shop.texts() == [["You said: a"]]


@pytest.mark.parametrize(
    "fault", [{"kind": FaultKind.ACT_THEN_DROP}, {"kind": FaultKind.ANSWER, "status": 502, "acts": True}]
)
def test_an_unknown_delivery_is_resent_under_the_same_key(lead, shop, say, upstreams, store, fault):
    upstreams.add_fault(FaultRule(**fault, nth=1, service="captivate"))
    shop.producer.enqueue(say("a"))
    shop.work()
    first, second = upstreams.deliveries("session-1")
    assert first.idempotency_key == second.idempotency_key
    assert "resent" in [moment.word for moment in store.timeline.of(lead)]
    assert len(shop.asked()) == 1


@pytest.mark.parametrize("kind", [FaultKind.NOT_JSON, FaultKind.EMPTY, FaultKind.HALF_ANSWER, FaultKind.HUGE])
def test_any_2xx_of_the_channel_is_delivered(shop, say, upstreams, store, kind):
    shop.fail(kind, service="captivate")
    shop.producer.enqueue(say("a"))
    assert shop.work() == ["answered"]
    assert len(shop.texts()) == 1


def test_a_refused_delivery_is_a_dead_letter_that_keeps_the_reply(lead, shop, say, upstreams, store):
    shop.fail(status=404, service="captivate")
    shop.producer.enqueue(say("a"))
    shop.work()
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "delivery_refused status=404"
    assert store.redis.hexists(store.keys.of(lead).journal(lead, letter.event_id), "reply")


def test_who_died_together_with_a_reply_ends_together_when_it_is_delivered(lead, shop, say, upstreams, store):
    shop.fail(status=404, nth=1, service="captivate")
    for number in range(3):
        shop.producer.enqueue(say(f"m{number}", event_id=f"e{number}"))
    shop.work()
    assert shop.fates() == {"dead": 3}
    assert store.dead_letters.replay(lead, "e0", "place").status == "replayed"
    assert shop.fates() == {"dead": 2, "waiting": 1}
    shop.work()
    assert shop.fates() == {"answered": 1, "joined": 2}
    assert store.dead_letters.newest() == []
    assert shop.texts() == [["You said: m0", "You said: m1", "You said: m2"]]


def test_the_own_limit_of_a_key_holds_without_using_up_attempts(lead, make_shop, say, upstreams, store):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "calls_per_second": 0.01}}, retry={"attempts": 1})
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say("b"))
    assert all("the key's own limit of calls" in phrase for phrase in shop.work(turns=5))
    assert len(shop.asked()) == 1
    shard = store.keys.of(lead)
    assert store.redis.hget(shard.journal(lead, store.redis.lindex(shard.inbox(lead), 0)), "asks") == "0"
    assert shop.fates() == {"answered": 1, "waiting": 1}


def test_nine_messages_that_waited_out_an_outage_get_one_joined_turn(make_shop, say, upstreams):
    shop = make_shop(join={"settle_seconds": 0})
    shop.fail(status=503, service="fluidtalk", first=3)
    for number in range(9):
        shop.producer.enqueue(say(f"m{number}"))
        shop.work(turns=1) if number < 3 else None
    shop.work()
    assert len([call for call in shop.asked() if call.status == 200]) == 1
    assert shop.texts() == [[f"You said: m{number}" for number in range(9)]]


def test_a_key_that_is_refused_while_an_image_is_hosted_stops_its_persona_too(shop, say, presigned, store):
    shop.fail(status=401, persona="ava")
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    assert "key refused (401)" in shop.run()
    assert store.personas.gates("ava") == {"quarantined": "key_refused status=401"}


def test_those_who_would_start_come_through_when_the_circuit_opened_while_credits_were_out(
    make_shop, say, store, try_gate, lead
):
    shop = make_shop()
    for gate in ("credits", "circuit"):
        store.personas.close_for_probing("ava", gate, "no")
    shop.producer.enqueue(say("a"))
    assert shop.run().startswith("held until")
    assert try_gate("circuit") == lead
    assert shop.work(turns=1) == ["answered"]
    assert "circuit_until" not in store.personas.gates("ava")


def test_after_402_nobody_else_who_would_start_is_asked(shop, say, upstreams, store):
    upstreams.set_credits("ava", 0)
    leads = [Conversation("ava", f"@{number}") for number in range(3)]
    for lead in leads:
        shop.producer.enqueue(say("a", target=lead.target))
    phrases = [shop.run(lead) for lead in leads]
    assert "credits out (402)" in phrases[0]
    assert len(shop.asked()) == 1
    assert "credits_until" in store.personas.gates("ava")
    shop.producer.enqueue(say("a", persona="bea"))
    assert shop.run(Conversation("bea", "@lead")).startswith("answered"), "another persona has its own credits"


@pytest.mark.parametrize("status", [200, 422])
def test_the_place_of_a_call_that_has_ended_is_free_at_once(make_shop, say, status):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "calls_at_once": 1}})
    if status != 200:
        shop.fail(status=status, nth=1, service="fluidtalk")
    for target in ("@one", "@two", "@three"):
        shop.producer.enqueue(say("a", target=target))
    phrases = [
        shop.run(Conversation("ava", target)).split(":")[0].split(",")[0] for target in ("@one", "@two", "@three")
    ]
    assert phrases == ["answered" if status == 200 else "dead", "answered", "answered"]


def test_so_many_calls_at_once_and_no_more_in_all_processes_together(make_shop, say, upstreams, store, eventually):
    bounded = {"personas": {"ava": {"api_key": "ft_sk_ava", "calls_at_once": 1}}}
    shop, other = make_shop(**bounded), make_shop(**bounded)
    upstreams.set_latency(0.5, service="fluidtalk")
    one, two = Conversation("ava", "@one"), Conversation("ava", "@two")
    for lead in (one, two):
        shop.producer.enqueue(say("a", target=lead.target))
    turn = threading.Thread(target=shop.run, args=(one,))
    turn.start()
    eventually(lambda: upstreams.summary()["fluidtalk"].in_flight, "the first call")
    assert not other.run(two).startswith("answered")
    turn.join(20)
    other.work(two)
    eventually(lambda: other.work(two) == [] and shop.fates() == {"answered": 2}, "both answers")
    assert upstreams.summary()["fluidtalk"].max_in_flight == 1


def test_a_delivery_whose_worker_vanished_is_not_made_again_where_a_person_is_to_look(
    make_shop, say, store, lead, lose_lease_now
):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "unknown": {"delivery": "hold"}}})
    shop.producer.enqueue(say("a"))
    store.steps.record(store.steps.begin(lead, "a turn that vanishes"), '{"bubbles":["may have arrived"]}')
    lose_lease_now()
    assert shop.work() == ["dead: delivery unconfirmed: it may have arrived"]
    assert (shop.asked(), shop.delivered()) == ([], [])


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 500}, {"kind": FaultKind.DROP}])
def test_an_image_that_can_never_be_hosted_costs_its_message_only_the_image(
    make_shop, say, presigned, fault, counted, store, lead
):
    shop = make_shop(retry={"quick_pause_seconds": 0, "attempts": 3, "unknown_attempts": 3})
    shop.fail(service="fluidtalk", path="/api/v1/bot/upload", persona="ava", **fault)
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    for number in range(8):
        shop.work(turns=1)
        # Others are answered meanwhile, so it is the image's own fault.
        shop.producer.enqueue(say("hi", target=f"@{number}"))
        assert shop.work(Conversation("ava", f"@{number}")) == ["answered"]
    assert shop.fates() == {"answered": 9}
    assert ("left out", "image: it could not be hosted in all its tries") in [
        (moment.word, moment.details[0]) for moment in store.timeline.of(lead) if moment.word == "left out"
    ]


def test_credits_that_are_known_to_be_out_are_told_once(shop, say, upstreams, store, stand_still, caplog):
    upstreams.set_credits("ava", 0)
    stand_still("before ask", lambda: store.personas.close_for_probing("ava", "credits", "credits_out"))
    shop.producer.enqueue(say("a"))
    assert "credits out (402)" in shop.run()
    assert "persona out of credits" not in caplog.text


def test_a_persona_that_answers_the_harmless_call_with_a_refusal_is_there(shop, say, store, try_gate, lead):
    store.personas.close_for_probing("ava", "circuit", "no_answer")
    shop.producer.enqueue(say(kind=EventTrigger, event_type="t"))
    shop.run()
    shop.fail(status=429, service="fluidtalk", path="/api/v1/bot/upload")
    assert try_gate("circuit") == lead
    assert shop.work(turns=1)[0].startswith("answered")


def test_a_lease_that_ran_out_while_an_image_was_fetched_hosts_nothing(
    make_shop, say, presigned, monkeypatch, lose_lease_now
):
    shop, other = make_shop(), make_shop()
    fetch, others = ImageFetcher.fetch, []

    def slowly(fetcher, url):
        image = fetch(fetcher, url)
        if not others:
            others.append("begun")
            shop.parts.turns.hand_over()
            others.extend(other.work())
        return image

    monkeypatch.setattr(ImageFetcher, "fetch", slowly)
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    assert shop.run().startswith("left to another turn")
    assert others == ["begun", "answered"]
    uploads = [call for call in shop.asked() if call.path.endswith("/upload") and call.persona == "ava"]
    assert len(uploads) == 1


def test_an_image_that_the_persona_does_not_take_is_left_out(shop, say, presigned, caplog):
    shop.fail(status=422, service="fluidtalk", path="/api/v1/bot/upload", persona="ava")
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    assert shop.work() == ["answered"]
    assert "image left out: " in caplog.text


def test_a_reply_of_which_no_message_can_be_made_is_a_dead_letter(shop, say, store, monkeypatch):
    """Nothing was sent, so the channel has not answered, and its gate is none of this."""
    shop.producer.enqueue(say("a"))

    def cannot(*_, **__):
        raise Unsendable("no JSON")

    monkeypatch.setattr(CaptivateChannel, "message_of", cannot)
    assert shop.work()[0].startswith("dead: delivery refused by the channel")
    assert shop.delivered() == []
