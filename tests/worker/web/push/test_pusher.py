"""Notices reach their endpoints: all of them, in order, whatever the receivers do. Over a real store and real HTTP."""

from __future__ import annotations

import logging
import threading

import pytest

from config.settings import SettingsError
from tests.notice_receiver import slowly
from worker.domain.conversation import Conversation
from worker.store.endpoints import GAVE_UP, LEASE_MS
from worker.store.redis.ahead import advance
from worker.store.redis.connection import clock_ms
from worker.web.push.pusher import Pusher

LEADS = [f"@lead{number}" for number in range(12)]


def test_all_notices_arrive_signed_in_order_and_once(push, configured, receiver, note, stored, store, eventually):
    push(configured({"crm": receiver}))
    for _ in range(5):
        for lead in LEADS:
            note(1, lead)
    eventually(lambda: len(receiver.got) == 5 * len(LEADS), "all arrive")
    assert {lead: receiver.sequences(f"ava/{lead}") for lead in LEADS} == {
        lead: stored()[f"ava/{lead}"] for lead in LEADS
    }
    assert receiver.forged == 0
    assert len({each["id"] for each in receiver.asked}) == len(receiver.asked)
    eventually(lambda: store.endpoints.state("crm").sent == len(receiver.got), "they are counted")
    assert store.endpoints.behind(store.endpoints.state("crm")) == 0


def test_what_was_noted_before_the_endpoint_was_known_arrives_too(push, configured, receiver, note, eventually):
    noted = note(3)
    push(configured({"crm": receiver}))
    eventually(lambda: len(receiver.got) == noted, "all arrive")


def test_an_endpoint_that_begins_now_gets_what_is_noted_from_its_first_process_on(
    push, configured, receiver, note, stored, store, eventually
):
    before = note(3) + note(2, "@other")
    settings = configured({"crm": (receiver, {"from_now_on": True})})
    first = push(settings)
    eventually(lambda: all(store.endpoints.state("crm").positions), "it has begun")
    first.stop(5)
    assert receiver.asked == []
    noted = note(2)
    push(settings)
    eventually(lambda: len(receiver.got) == noted - 3, "what came after its beginning arrives")
    assert receiver.sequences("ava/@lead") == stored()["ava/@lead"][3:]
    assert sum(map(len, stored().values())) == before + 2
    assert store.endpoints.state("crm").lost == 0


def test_an_endpoint_gets_what_it_wants_only(push, configured, make_receiver, note, eventually):
    opted_in, bea = make_receiver(), make_receiver()
    push(
        configured(
            {
                "opted_in": (opted_in, {"types": "parley.conversation.opted_in"}),
                "bea": (bea, {"personas": "bea", "at_once": 1}),
            }
        )
    )
    note(3)
    noted = note(3, persona="bea")
    eventually(lambda: len(bea.got) == noted and len(opted_in.got) == 2, "what is wanted arrives")
    assert {each["type"] for each in opted_in.got} == {"parley.conversation.opted_in"}
    assert {each["data"]["persona"] for each in bea.got} == {"bea"}


def test_no_more_calls_at_once_than_are_allowed(push, configured, make_receiver, note, eventually):
    receiver = make_receiver(slowly(0.05))
    for lead in LEADS:
        note(2, lead)
    push(configured({"crm": (receiver, {"at_once": 3})}))
    eventually(lambda: len(receiver.got) == 2 * len(LEADS), "all arrive")
    assert receiver.most_at_once == 3


def test_a_receiver_that_hangs_delays_no_other_one(push, configured, make_receiver, note, eventually):
    over = threading.Event()
    hanging, other = make_receiver(lambda event: 204 if over.wait(60) else 500), make_receiver()
    push(configured({"hanging": (hanging, {"timeout_seconds": 60}), "other": other}))
    noted = sum(note(2, lead) for lead in LEADS)
    try:
        eventually(lambda: hanging.at_once, "it hangs")
        eventually(lambda: len(other.got) == noted, "the other one has all")
        assert not hanging.got
    finally:
        over.set()


# What else fails, and who may say when to call again, is shown where the answer is read (test_notice_calls).
@pytest.mark.parametrize("trouble", [500, (429, {"Retry-After": "30"})])
def test_what_fails_is_sent_again_until_it_is_taken(
    push, configured, make_receiver, note, stored, store, eventually, trouble
):
    seen: set[str] = set()

    def first_fails(event):
        if event["id"] in seen:
            return 200
        seen.add(event["id"])
        return trouble

    receiver = make_receiver(first_fails)
    push(configured({"crm": receiver}))
    noted = note(2)
    eventually(lambda: receiver.asked, "it is called")
    for _ in range(noted):
        eventually(lambda: store.endpoints.state("crm").failed == len(seen), "it has failed")
        called = len(receiver.asked)
        advance(store.redis, 34)
        eventually(lambda: len(receiver.asked) > called, "it is called again")  # noqa: B023 - used at once
    eventually(lambda: len(receiver.got) == noted, "all arrive")
    assert receiver.sequences("ava/@lead") == stored()["ava/@lead"]


@pytest.mark.parametrize("another_process", [False, True])
def test_a_clock_that_steps_back_makes_no_endpoint_wait_for_longer(
    push, configured, make_receiver, note, store, eventually, another_process
):
    fails = [True]
    receiver = make_receiver(lambda event: (503, {"Retry-After": "20"}) if fails[0] else 200)
    first = push(configured({"crm": receiver}))
    noted = note(2)
    eventually(lambda: store.endpoints.state("crm").not_before, "it waits")
    fails[0] = False
    if another_process:
        first.stop(5)
    advance(store.redis, -3600)
    if another_process:
        push(configured({"crm": receiver}))
    now = clock_ms(store.redis)
    eventually(lambda: now < store.endpoints.state("crm").holder_until < now + 600_000, "the step is seen")
    assert len(receiver.asked) == 1, "what it was told to wait is not over"
    advance(store.redis, 25)
    eventually(lambda: len(receiver.got) == noted, "all arrive")
    eventually(lambda: 0 < store.endpoints.state("crm").last_sent_at < now + 600_000, "the time of the store is noted")


def test_a_refusal_drops_that_notice_only_and_is_listed(
    push, configured, make_receiver, note, store, eventually, caplog
):
    refused: list[str] = []

    def second_is_refused(event):
        if len(refused) < 1 and event["type"] == "parley.conversation.opted_in":
            refused.append(event["id"])
            return 400
        return 200

    receiver = make_receiver(second_is_refused)
    push(configured({"crm": receiver}))
    noted = note(3)
    eventually(lambda: len(receiver.got) == noted - 1, "the others arrive")
    eventually(lambda: store.endpoints.state("crm").dropped == 1, "it is counted")
    (listed,) = store.endpoints.refusals("crm", 10)
    assert (listed.notice, listed.type, listed.status) == (refused[0], "parley.conversation.opted_in", 400)
    assert "notices refused for good by crm: 1, the last with status=400" in caplog.text
    assert "@lead" not in caplog.text
    assert receiver.url not in caplog.text


def test_a_dead_endpoint_is_paused_after_three_days_and_goes_on_when_it_is_resumed(
    push, configured, make_receiver, note, stored, store, eventually, caplog
):
    dead = [True]
    receiver = make_receiver(lambda event: 500 if dead[0] else 200)
    push(configured({"crm": receiver}, days=30))
    for lead in LEADS:
        note(1, lead)
    eventually(lambda: store.endpoints.state("crm").tries, "it is down")

    def fails_again_after(seconds):
        before = len(receiver.asked)
        advance(store.redis, seconds)
        eventually(lambda: len(receiver.asked) > before, "it is tried")
        eventually(lambda: store.endpoints.state("crm").failed == len(receiver.asked), "it has failed")

    fails_again_after(3 * 86_400 - 7200)
    assert not store.endpoints.state("crm").paused
    fails_again_after(7200)
    state = store.endpoints.state("crm")
    assert (state.paused, state.last_failure) == (GAVE_UP, "status=500")
    assert "notices paused to crm: one was not taken for 3 days, the last answer was status=500" in caplog.text
    # While it is paused nothing is sent, and its notices wait.
    asked = len(receiver.asked)
    dead[0] = False
    advance(store.redis, 14_400)
    noted = sum(note(1, lead) for lead in LEADS)
    assert len(receiver.asked) == asked
    store.endpoints.order("crm", "resume")
    eventually(lambda: len(receiver.got) == noted, "all arrive")
    assert all(receiver.sequences(f"ava/{lead}") == stored()[f"ava/{lead}"] for lead in LEADS)


def test_what_falls_off_the_stream_is_counted_and_the_rest_arrives(
    push, configured, make_receiver, note, stored, store, eventually
):
    dead = [True]
    receiver = make_receiver(lambda event: 500 if dead[0] else 200)
    first = push(configured({"crm": receiver}))
    note(1)
    eventually(lambda: store.endpoints.state("crm").failed, "it fails")
    first.stop(5)
    noted = note(2000)
    shard = store.keys.of(Conversation("ava", "@lead"))
    store.redis.xtrim(shard.notices, maxlen=500, approximate=False)
    kept = stored()["ava/@lead"]
    dead[0] = False
    advance(store.redis, 30)
    push(configured({"crm": receiver}))
    eventually(lambda: len(receiver.got) == len(kept), "what is kept arrives")
    assert receiver.sequences("ava/@lead") == kept
    eventually(lambda: store.endpoints.state("crm").sent == len(kept), "they are counted")
    state = store.endpoints.state("crm")
    assert state.lost + state.sent == noted


def test_another_process_takes_over_and_leaves_nothing_out(
    push, configured, make_receiver, note, stored, store, eventually
):
    receiver = make_receiver(slowly(0.01))
    settings = configured({"crm": receiver})
    pushers = [push(settings), push(settings)]
    for lead in LEADS:
        note(10, lead)
    eventually(lambda: len(receiver.got) > 20, "it has begun")
    pushers[0].stop(5)
    noted = sum(note(5, lead) for lead in LEADS)
    eventually(lambda: len({event["id"] for event in receiver.got}) >= noted, "all arrive")
    assert all(receiver.sequences(f"ava/{lead}") == stored()[f"ava/{lead}"] for lead in LEADS)
    # Without time to renew its right, one sends beside the other for a moment: at least once is the promise.
    assert len({event["id"] for event in receiver.got}) == noted


def test_a_replay_sends_the_same_ids_again(push, configured, receiver, note, store, eventually):
    push(configured({"crm": receiver}))
    noted = note(5)
    eventually(lambda: store.endpoints.state("crm").sent == noted, "all arrive")
    assert store.endpoints.order("crm", "replay", positions=store.endpoints.positions_since(0))
    eventually(lambda: len(receiver.got) == 2 * noted, "all arrive again")
    assert [each["id"] for each in receiver.got[:noted]] == [each["id"] for each in receiver.got[noted:]]


def test_an_endpoint_that_an_operator_has_paused_gets_nothing_until_it_is_resumed(
    push, configured, receiver, note, store, eventually
):
    push(configured({"crm": receiver}))
    note(1)
    eventually(lambda: store.endpoints.state("crm").sent == 1, "the first arrive")
    store.endpoints.order("crm", "pause", reason="it moves", by="zoe")
    held_until = store.endpoints.state("crm").holder_until
    eventually(lambda: store.endpoints.state("crm").holder_until > held_until, "the sender has seen it")
    noted = note(3)
    held_until = store.endpoints.state("crm").holder_until
    eventually(lambda: store.endpoints.state("crm").holder_until > held_until, "it has looked again")
    assert len(receiver.got) == 1
    store.endpoints.order("crm", "resume")
    eventually(lambda: len(receiver.got) == noted, "all arrive")


def test_a_lead_who_is_forgotten_while_the_endpoint_is_down_is_not_told(
    push, configured, make_receiver, note, store, eventually
):
    dead = [True]
    receiver = make_receiver(lambda event: 500 if dead[0] else 200)
    push(configured({"crm": receiver}))
    note(3)
    eventually(lambda: store.endpoints.state("crm").failed, "it fails")
    store.notices.erase(Conversation("ava", "@lead"))
    dead[0] = False
    advance(store.redis, 30)
    noted = note(1, "@other")
    eventually(lambda: len(receiver.got) == noted, "the other one's arrive")
    assert {each["subject"] for each in receiver.got} == {"ava/@other"}
    eventually(lambda: store.endpoints.state("crm").lost == 3, "they are counted")


def test_a_lead_who_is_forgotten_before_any_notice_of_its_shard_was_sent_counts_too(
    push, configured, receiver, note, store, eventually
):
    push(configured({"crm": receiver}))
    eventually(lambda: all(store.endpoints.state("crm").positions), "it has begun")
    store.endpoints.order("crm", "pause", reason="it moves", by="zoe")
    held_until = store.endpoints.state("crm").holder_until
    eventually(lambda: store.endpoints.state("crm").holder_until > held_until + 1000, "the sender has seen it")
    note(3)
    store.notices.erase(Conversation("ava", "@lead"))
    note(1)
    store.endpoints.order("crm", "resume")
    eventually(lambda: store.endpoints.state("crm").sent == 1, "the last one arrives")
    assert store.endpoints.state("crm").lost == 3


def test_a_sender_that_was_cut_off_from_the_store_continues_where_it_was(
    push, configured, make_receiver, note, stored, store, eventually
):
    receiver = make_receiver()
    push(configured({"crm": receiver}))
    note(1)
    eventually(lambda: store.endpoints.state("crm").sent == 1, "the first arrive")
    # Another one had the right meanwhile.

    def taken_away():
        advance(store.redis, LEASE_MS / 1000 + 1)
        return store.endpoints.take("crm", "another")

    eventually(taken_away, "another one has it")
    advance(store.redis, LEASE_MS / 1000 + 1)
    noted = note(3)
    eventually(lambda: len(receiver.sequences("ava/@lead")) == noted, "all arrive")
    assert receiver.sequences("ava/@lead") == stored()["ava/@lead"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"personas": "zoe"}, "PARLEY_NOTICES__ENDPOINTS__CRM__PERSONAS: zoe is no configured persona"),
        ({"types": "parley.event.lost"}, "PARLEY_NOTICES__ENDPOINTS__CRM__TYPES: there is no notice parley.event.lost"),
        ({"types": "parley.lead.*"}, "there is no notice parley.lead"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_at_start(configured, receiver, store, more, says):
    with pytest.raises(SettingsError, match=says):
        Pusher(configured({"crm": (receiver, more)}), store)


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO, "parley")
