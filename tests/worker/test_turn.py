"""Turns against real HTTP and a real store: what a lead gets, what the persona was asked, what stays for a person.

``work`` plays the doorbells: it runs turns until nothing is left to do, letting holds run out at once.
"""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import httpx
import pytest

from worker.bootstrap import build
from worker.conversation import Conversation
from worker.events import AiOpener, EventTrigger, FollowUp, InboundChat
from worker.producer import Producer
from worker.simulation.faults import FaultKind, FaultRule

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(40)
LEAD = Conversation("ava", "@lead")


@pytest.fixture
def make_shop(make_settings, store, upstreams, channel):
    """A producer, turns and everything between, with settings of one's own."""
    built = []

    def make(**overrides):
        settings = make_settings(
            **{
                "fluidtalk": {"base_url": upstreams.fluidtalk_url, "read_seconds": 2, "total_seconds": 5},
                "captivate": {"base_url": upstreams.captivate_url, "read_seconds": 2},
                "images": {"allow_private_addresses": True},
                "retry": {"quick_pause_seconds": 0},
                **overrides,
            }
        )
        parts = build(settings)
        built.append(parts)

        def let_holds_run_out():
            for shard in store.keys.shards:
                for key in store.redis.keys(f"{shard.conversation_prefix}*"):
                    store.redis.hdel(key, "hold_until")
                for key in store.redis.keys(shard.key("persona:*")):
                    store.redis.hdel(key, "hold_until")

        def work(conversation=LEAD, turns=20):
            phrases = []
            for _ in range(turns):
                phrase = parts.turns.run(*conversation)
                if phrase == "nothing to do":
                    break
                phrases.append(phrase.rpartition(",")[0] or phrase)
                let_holds_run_out()
            return phrases

        return SimpleNamespace(
            settings=settings, producer=Producer(settings, store=store), run=parts.turns.run, work=work, parts=parts
        )

    yield make
    for parts in built:
        parts.close()


@pytest.fixture
def shop(make_shop):
    """The shop with the usual settings."""
    return make_shop()


@pytest.fixture
def say(channel):
    """An event of the lead's conversation."""

    def make(message="hi", kind=InboundChat, **fields):
        content = {"message": message} if kind is InboundChat else {}
        return kind(**{"persona": "ava", "target": "@lead", "channel": channel, **content, **fields})

    return make


def texts(upstreams, session_id="session-1"):
    return [[message.get("text") for message in d.messages] for d in upstreams.deliveries(session_id)]


def asked(upstreams):
    return [call for call in upstreams.calls() if call.service == "fluidtalk"]


def fates(store):
    return {
        fate: count
        for account in store.books.accounts()
        for fate, count in dataclasses.asdict(account).items()
        if count and fate not in ("persona", "accepted")
    }


def fail(upstreams, kind=FaultKind.ANSWER, **fields):
    upstreams.add_fault(FaultRule(kind=kind, **fields))


# What a lead gets


def test_a_message_is_answered_on_its_channel(shop, say, upstreams, store):
    shop.producer.enqueue(say("hello"))
    assert shop.work() == ["answered"]
    assert texts(upstreams) == [["You said: hello"]]
    assert fates(store) == {"answered": 1}


def test_messages_waiting_together_are_one_call_with_line_breaks_in_order(shop, say, upstreams, store):
    for word in ("one", "two", "three"):
        shop.producer.enqueue(say(word))
    assert shop.work() == ["answered, joined 2"]
    assert [call.fields["message"] for call in asked(upstreams)] == ["one\ntwo\nthree"]
    assert texts(upstreams) == [["You said: one", "You said: two", "You said: three"]]
    assert fates(store) == {"answered": 1, "joined": 2}


def test_without_joining_each_message_is_its_own_turn_in_order(make_shop, say, upstreams):
    shop = make_shop(join={"settle_seconds": 0, "max_events": 1})
    for word in ("one", "two"):
        shop.producer.enqueue(say(word))
    shop.work()
    assert texts(upstreams) == [["You said: one"], ["You said: two"]]


def test_the_photo_comes_last_as_a_file(shop, say, upstreams):
    shop.producer.enqueue(say("photo please"))
    shop.work()
    (delivery,) = upstreams.deliveries("session-1")
    assert [message["type"] for message in delivery.messages] == ["text", "files"]
    (photo,) = delivery.messages[1]["files"]
    assert photo["url"].startswith("http")
    assert photo["type"].startswith("image/")


def test_an_opener_an_event_and_a_follow_up_are_answered_with_one_message(shop, say, upstreams):
    shop.producer.enqueue(say(kind=AiOpener))
    shop.producer.enqueue(say(kind=EventTrigger, event_type="story_reaction", context={"reaction": "🔥"}))
    shop.producer.enqueue(say(kind=FollowUp))
    assert shop.work() == ["answered"] * 3
    assert [call.action for call in asked(upstreams)] == ["OUTREACH", "ENTRY_POINT", "FOLLOW_UP"]
    assert len(texts(upstreams)) == 3


def test_the_own_username_of_event_or_persona_goes_along(make_shop, say, upstreams):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "own_username": "@ava"}})
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say("b", own_username="@other"))
    shop.work()
    assert [call.fields["own_username"] for call in asked(upstreams)] == ["@ava", "@other"]


def test_each_event_is_answered_on_the_channel_it_came_with(shop, say, channel, upstreams):
    shop.producer.enqueue(say("a", image_url="https://example.com/a.jpg"))
    shop.producer.enqueue(say("b", channel={**channel, "session_id": "session-2"}))
    shop.work()
    assert len(texts(upstreams, "session-1")) == len(texts(upstreams, "session-2")) == 1


def test_a_follow_up_without_a_channel_goes_where_the_conversation_last_was(shop, say, upstreams):
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say(kind=FollowUp, channel=None))
    assert shop.work() == ["answered"]
    assert len(texts(upstreams)) == 2


# Images


def test_a_public_image_address_is_passed_on(shop, say, upstreams):
    shop.producer.enqueue(say("look", image_url="https://example.com/a.jpg"))
    shop.work()
    assert asked(upstreams)[0].fields["image_url"] == "https://example.com/a.jpg"


@pytest.fixture
def presigned(upstreams):
    """A link as it comes with a Captivate payload."""
    hosted = httpx.post(
        f"{upstreams.fluidtalk_url}/api/v1/bot/upload",
        headers={"X-API-Key": "ft_sk_bea"},
        files={"file": ("lead.png", PICTURE)},
    ).json()["url"]
    return f"{hosted}?X-Amz-Signature=secret"


def test_an_image_of_the_payload_is_hosted_before_the_call(shop, channel, presigned, upstreams):
    payload = {
        **channel,
        "user_input": "look",
        "files": [{"type": "image/png", "storage": {"presignedUrl": presigned}}],
    }
    shop.producer.enqueue(InboundChat.from_captivate(payload, persona="ava", target="@lead"))
    assert shop.work() == ["answered"]
    upload, chat = [call for call in asked(upstreams) if call.persona == "ava"]
    assert upload.path.endswith("/upload")
    assert chat.fields["image_url"].startswith(upstreams.fluidtalk_url)
    assert "Signature" not in chat.fields["image_url"]


def test_an_image_is_not_hosted_again_for_a_second_attempt(shop, say, presigned, upstreams):
    fail(upstreams, status=503, path="/api/v1/bot/chat", first=3)
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    shop.work()
    uploads = [call for call in asked(upstreams) if call.path.endswith("/upload") and call.persona == "ava"]
    assert len(uploads) == 1


def test_an_image_that_is_gone_is_left_out_when_there_are_words(shop, say, upstreams, store):
    gone = f"{upstreams.fluidtalk_url}/gone.png"
    shop.producer.enqueue(say("look", attachments=[{"url": gone}]))
    shop.producer.enqueue(say("", attachments=[{"url": gone}]))
    assert [phrase.partition(":")[0] for phrase in shop.work()] == ["answered", "dead"]
    assert fates(store) == {"answered": 1, "dead": 1}


def test_an_image_from_this_machine_is_not_fetched_unless_allowed(make_shop, say, presigned, upstreams):
    shop = make_shop(images={"allow_private_addresses": False})
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}]))
    shop.work()
    assert "image_url" not in asked(upstreams)[-1].fields


# What is not answered


def test_a_sealed_conversation_costs_no_further_call(make_shop, say, upstreams, store):
    persona = {"api_key": "ft_sk_ava", "on_sealed": {"action": "escalate_to_human"}}
    shop = make_shop(personas={"ava": persona})
    upstreams.seal("ava", "@lead")
    shop.producer.enqueue(say("a"))
    shop.work()
    (delivery,) = upstreams.deliveries("session-1")
    assert (delivery.messages, delivery.actions[0]["id"]) == ([], "escalateToHuman")
    shop.producer.enqueue(say("b"))
    shop.producer.enqueue(say(kind=FollowUp))
    shop.work()
    assert len(asked(upstreams)) == 1
    assert len(upstreams.deliveries("session-1")) == 1
    assert fates(store) == {"sealed": 3}


def test_a_lead_of_another_account_gets_nothing(shop, say, upstreams, store):
    upstreams.own_elsewhere("ava", "@lead")
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say(kind=AiOpener))
    shop.work()
    assert (texts(upstreams), fates(store), len(asked(upstreams))) == ([], {"ignored": 2}, 1)


def test_an_opener_to_a_live_lead_sends_nothing(shop, say, upstreams, store):
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say(kind=AiOpener))
    shop.work()
    assert len(texts(upstreams)) == 1
    assert fates(store) == {"answered": 1, "skipped": 1}


def test_an_opener_gives_way_to_a_lead_who_wrote_before_it_ran(shop, say, upstreams, store):
    shop.producer.enqueue(say(kind=AiOpener))
    shop.producer.enqueue(say("me first"))
    shop.work()
    assert texts(upstreams) == [["You said: me first"]]
    assert fates(store) == {"answered": 1, "skipped": 1}


def test_a_follow_up_before_any_contact_is_skipped(shop, say, upstreams, store):
    shop.producer.enqueue(say(kind=FollowUp))
    shop.work()
    assert fates(store) == {"skipped": 1}


def test_a_refusal_is_a_dead_letter_and_the_conversation_goes_on(shop, say, upstreams, store):
    fail(upstreams, status=422, nth=1, service="fluidtalk", body={"detail": "SECRET words"})
    shop.producer.enqueue(say("a", image_url="https://example.com/a.jpg"))
    shop.producer.enqueue(say("b"))
    shop.work()
    assert texts(upstreams) == [["You said: b"]]
    assert fates(store) == {"answered": 1, "dead": 1}
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "refused by the persona (status 422)"
    journal = store.redis.hgetall(store.keys.of(LEAD).journal(LEAD, letter.event_id))
    assert "SECRET words" in journal["detail"]


@pytest.mark.parametrize("kind", [FaultKind.NOT_JSON, FaultKind.EMPTY])
def test_a_page_instead_of_a_reply_is_a_dead_letter(shop, say, upstreams, store, kind):
    fail(upstreams, kind, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert store.dead_letters.newest()[0].cause == "bad reply: not the documented JSON"


def test_on_dead_a_person_is_called(make_shop, say, upstreams, store):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "on_dead": {"action": "escalate_to_human"}}})
    fail(upstreams, status=422, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert upstreams.deliveries("session-1")[0].actions[0]["id"] == "escalateToHuman"
    assert fates(store) == {"dead": 1}


# Trouble


def test_a_busy_persona_is_asked_again_later_and_newer_messages_join(shop, say, upstreams, store):
    fail(upstreams, status=429, retry_after_seconds=7, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    phrase = shop.run(*LEAD)
    assert "throttled by the persona (429)" in phrase
    assert float(phrase.split()[2]) >= 7
    shop.producer.enqueue(say("b"))
    assert shop.run(*LEAD).startswith("held until")
    assert shop.work()[-1] == "answered, joined 1"
    assert texts(upstreams) == [["You said: a", "You said: b"]]


def test_retry_after_holds_the_whole_key_and_no_other(shop, say, upstreams):
    fail(upstreams, status=429, retry_after_seconds=30, persona="ava")
    shop.producer.enqueue(say("a"))
    shop.run(*LEAD)
    shop.producer.enqueue(say("a", target="@other"))
    assert "throttled" in shop.run("ava", "@other")
    assert len(asked(upstreams)) == 1
    shop.producer.enqueue(say("a", persona="bea"))
    assert shop.run("bea", "@lead").startswith("answered")


def test_a_refused_key_stops_its_persona_until_a_person_opens_the_gate(shop, say, upstreams, store):
    fail(upstreams, status=401, persona="ava")
    shop.producer.enqueue(say("a"))
    shop.work(turns=1)
    assert shop.run(*LEAD).startswith("quarantined")
    shop.producer.enqueue(say("b"))
    assert len(asked(upstreams)) == 1
    upstreams.clear_faults()
    store.personas.open_gate("ava", "quarantined")
    assert shop.work() == ["answered, joined 1"]


def test_without_credits_those_who_would_start_wait_and_one_probe_opens_the_gate(make_shop, say, upstreams, store):
    shop = make_shop(gates={"probe_seconds": 0.01, "probe_limit_seconds": 0.01})
    upstreams.set_credits("ava", 1)
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say("a", target="@new"))
    assert "credits out (402)" in shop.run("ava", "@new")
    shop.producer.enqueue(say("b"))
    assert shop.work() == ["answered"], "a conversation that exists goes on"
    upstreams.set_credits("ava", None)
    shop.work(Conversation("ava", "@new"), turns=200)
    assert store.personas.gates("ava") == {}
    assert fates(store) == {"answered": 3}


def test_an_unreachable_persona_opens_the_circuit_and_a_probe_closes_it(make_shop, say, upstreams, store):
    shop = make_shop(gates={"circuit_failures": 2, "probe_seconds": 0.01, "probe_limit_seconds": 0.01})
    fail(upstreams, status=503, persona="ava")
    shop.producer.enqueue(say("a"))
    shop.work(turns=2)
    assert "circuit_until" in store.personas.gates("ava")
    upstreams.clear_faults()
    shop.work(turns=200)
    assert store.personas.gates("ava") == {}
    assert fates(store) == {"answered": 1}


def test_a_dropped_connection_is_asked_once_more_and_the_timeline_says_so(shop, say, upstreams, store):
    fail(upstreams, FaultKind.ACT_THEN_DROP, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert len(asked(upstreams)) == 2
    assert "second ask" in [moment.word for moment in store.timeline.of(LEAD)]
    assert fates(store) == {"answered": 1}


def test_dropped_twice_is_a_dead_letter(shop, say, upstreams, store):
    fail(upstreams, FaultKind.ACT_THEN_DROP, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert len(asked(upstreams)) == 2
    assert store.dead_letters.newest()[0].cause.startswith("outcome unknown twice")


def test_an_opener_whose_answer_was_lost_is_proved_by_the_probe(shop, say, upstreams, store):
    fail(upstreams, FaultKind.ACT_THEN_DROP, nth=1, service="fluidtalk")
    shop.producer.enqueue(say(kind=AiOpener))
    assert "text lost" in shop.work()[-1]
    assert (texts(upstreams), fates(store)) == ([], {"answered": 1})


@pytest.mark.parametrize(("kind", "fate"), [(EventTrigger, "dead"), (FollowUp, "skipped")])
def test_what_must_not_be_doubled_is_not_asked_again(shop, say, upstreams, store, kind, fate):
    shop.producer.enqueue(say("a"))
    shop.work()
    fail(upstreams, FaultKind.ACT_THEN_DROP, path="/api/v1/bot/action")
    shop.producer.enqueue(say(kind=kind, **({"event_type": "t"} if kind is EventTrigger else {})))
    shop.work()
    assert len(asked(upstreams)) == 2
    assert fates(store) == {"answered": 1, fate: 1}


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_failing_delivery_never_causes_a_second_ask(shop, say, upstreams, store, status):
    fail(upstreams, status=status, first=3, service="captivate")
    shop.producer.enqueue(say("a"))
    shop.work()
    assert len(asked(upstreams)) == 1
    assert texts(upstreams) == [["You said: a"]]


@pytest.mark.parametrize(
    "fault", [{"kind": FaultKind.ACT_THEN_DROP}, {"kind": FaultKind.ANSWER, "status": 502, "acts": True}]
)
def test_an_unknown_delivery_is_resent_under_the_same_key(shop, say, upstreams, store, fault):
    upstreams.add_fault(FaultRule(**fault, nth=1, service="captivate"))
    shop.producer.enqueue(say("a"))
    shop.work()
    first, second = upstreams.deliveries("session-1")
    assert first.idempotency_key == second.idempotency_key
    assert "resent" in [moment.word for moment in store.timeline.of(LEAD)]
    assert len(asked(upstreams)) == 1


@pytest.mark.parametrize("kind", [FaultKind.NOT_JSON, FaultKind.EMPTY, FaultKind.HALF_ANSWER, FaultKind.HUGE])
def test_any_2xx_of_the_channel_is_delivered(shop, say, upstreams, store, kind):
    fail(upstreams, kind, service="captivate")
    shop.producer.enqueue(say("a"))
    assert shop.work() == ["answered"]
    assert len(texts(upstreams)) == 1


def test_a_refused_delivery_is_a_dead_letter_that_keeps_the_reply(shop, say, upstreams, store):
    fail(upstreams, status=404, service="captivate")
    shop.producer.enqueue(say("a"))
    shop.work()
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "delivery refused by the channel (status 404)"
    assert store.redis.hexists(store.keys.of(LEAD).journal(LEAD, letter.event_id), "reply")


# Follow-ups


def test_the_cadence_goes_on_with_each_delivered_follow_up_and_ends(make_shop, say, upstreams, store):
    shop = make_shop(follow_ups={"delays_seconds": [0.001, 0.001]})
    shop.producer.enqueue(say("a"))
    shop.work()
    for _ in range(4):
        shop.parts.upkeep.plan_follow_ups()
        shop.parts.upkeep.plan_follow_ups()
        shop.work()
    assert [call.action for call in asked(upstreams)] == [None, "FOLLOW_UP", "FOLLOW_UP"]
    assert fates(store) == {"answered": 3}


def test_a_lead_who_writes_starts_the_cadence_again(make_shop, say, upstreams, store):
    shop = make_shop(follow_ups={"delays_seconds": [0.001, 3600]})
    shop.producer.enqueue(say("a"))
    shop.work()
    shop.producer.enqueue(say("b"))
    assert shop.parts.upkeep.plan_follow_ups() == 0
    shop.work()
    assert shop.parts.upkeep.plan_follow_ups() == 1


# The shop itself


def test_an_unconfigured_persona_is_said_and_its_events_wait(shop, say, store):
    assert "not configured" in shop.run("zoe", "@lead")


def test_a_turn_that_finds_nothing_leaves_at_once(shop):
    assert shop.run(*LEAD) == "nothing to do"


def test_no_secret_and_no_content_in_logs_phrases_and_timelines(make_shop, say, channel, upstreams, store, caplog):
    caplog.set_level("DEBUG")
    shop = make_shop()
    for kind in (FaultKind.ACT_THEN_DROP, FaultKind.NOT_JSON):
        fail(upstreams, kind, nth=1, service="fluidtalk")
    fail(upstreams, status=422, nth=1, service="fluidtalk", body={"detail": "PLANTED detail"})
    fail(upstreams, status=400, nth=1, service="captivate", body={"detail": "PLANTED detail"})
    metadata = {"internal": {"channelMetadata": {"custom": {"k": "PLANTED"}}}}
    planted = {**channel, "session_id": "PLANTED-session", "metadata": metadata}
    phrases = []
    for _ in range(4):
        shop.producer.enqueue(say("PLANTED words", channel=planted))
        phrases += shop.work()
    shown = caplog.text + repr(phrases) + repr(store.timeline.of(LEAD)) + repr(store.dead_letters.newest())
    assert "dead" in shown
    assert "PLANTED" not in shown
    assert "ft_sk_" not in shown
