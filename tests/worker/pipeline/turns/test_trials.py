"""A suspect is tried alone, in a real child process, and buried only when it killed the processes that tried it."""

from __future__ import annotations

import base64
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from simulation.upstreams.faults import FaultKind
from worker.bootstrap import build
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger
from worker.domain.suspicion import KILLS_ALONE, SUSPECT_AFTER
from worker.pipeline import failpoints
from worker.store import StoreError
from worker.store.conversations.turn_steps import TurnSteps

OTHER = Conversation("ava", "@other")
ALONE = "so it is tried alone, in a process of its own"
POISON = "poison: its worker vanished 3 times while asking, then it killed 2 processes that tried it alone"
KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def patient(make_shop, upstreams):
    """A shop whose calls may take as long as a process takes to start. Named values are settings."""

    def make(**overrides):
        ways = {
            "fluidtalk": {"base_url": upstreams.fluidtalk_url, "read_seconds": 30},
            "captivate": {"base_url": upstreams.captivate_url, "read_seconds": 20},
        }
        return make_shop(**ways, **overrides)

    return make


@pytest.fixture
def impatient(make_shop, upstreams):
    """A shop that takes a child for stuck after 3 s."""
    quick = {"read_seconds": 1, "connect_seconds": 1, "total_seconds": 1}
    return make_shop(
        fluidtalk={"base_url": upstreams.fluidtalk_url, **quick},
        captivate={"base_url": upstreams.captivate_url, **quick},
        worker={"stuck_seconds": 3, "store_wait_seconds": 0.5},
    )


@pytest.fixture
def journal_key(store, lead):
    """Where the event e1 of the lead is recorded."""
    return store.keys.of(lead).journal(lead, "e1")


@pytest.fixture
def suspect(store, journal_key):
    """The event e1 has been in the hands of several workers that vanished."""

    def run(shop, event, step="asks"):
        shop.producer.enqueue(event)
        store.redis.hset(journal_key, f"{step}_vanished", SUSPECT_AFTER)

    return run


@pytest.fixture
def in_trial(patient, say, suspect, eventually):
    """Begin the trial of the event e1 in a thread, in a shop of its own; its persona takes ``seconds`` to answer.

    Returns the shop, the child's process id, and a function that waits for the end and returns what the turn said.
    """

    def begin(seconds=0.0, shop=None):
        shop = shop or patient()
        suspect(shop, say("hi", event_id="e1"))
        if seconds:
            shop.fail(FaultKind.DELAY, service="fluidtalk", target="@lead", delay_seconds=seconds)
        said = []
        trial = threading.Thread(target=lambda: said.append(shop.run()))
        trial.start()
        (child,) = eventually(children, "a child")

        def end():
            trial.join()
            return said[0]

        return shop, child, end

    return begin


def children(of=None):
    """Process ids of the children of this process that try a suspect."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == (of or os.getpid()) and "worker.processes.trial" in (stat.parent / "cmdline").read_text():
                found.append(int(stat.parent.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def test_a_message_that_kills_its_process_ends_as_poison_and_this_process_lives(patient, say, suspect, store, lead):
    shop = patient(worker={"crash_at": "before ask@e1"})
    suspect(shop, say("boom", event_id="e1"))
    shop.producer.enqueue(say("hello", target="@other", event_id="e2"))
    said = shop.work()
    assert [ALONE in phrase for phrase in said] == [True] * KILLS_ALONE + [False]
    assert "it killed 1 of them" in said[0]
    assert 10 <= float(said[0].split()[2]) <= 30, "memory may be short for another reason, for a while"
    assert said[1].startswith("held for 0.0 s")
    assert (
        said[-1]
        == "dead: poison: its worker vanished 3 times while asking, then it killed 2 processes that tried it alone"
    )
    assert shop.work(OTHER) == ["answered"]
    assert shop.fates() == {"answered": 1, "dead": 1}
    assert {call.target for call in shop.asked()} == {"@other"}
    assert [letter.cause for letter in store.dead_letters.newest()] == ["poison_asking times=3 killed=2"]


def test_a_message_that_only_was_there_is_answered(patient, say, suspect, store, lead, counted, journal_key):
    shop = patient()
    suspect(shop, say("hi", event_id="e1"))
    shop.producer.enqueue(say("and this", event_id="e2"))
    assert shop.work()[0].startswith("answered")
    assert shop.fates() == {"answered": 1, "joined": 1}
    assert shop.asked()[-1].fields["message"] == "hi\nand this"
    assert len(shop.delivered()) == 1
    assert store.redis.hget(journal_key, "killed_alone") is None
    assert [moment.word for moment in store.timeline.of(lead)].count("second ask") == 1
    assert counted("parley_turns_total", "ava", "inbound_chat", "answered") == 1


def test_the_child_runs_the_turn_that_its_parent_has_begun(shop, say, store, lead):
    shop.producer.enqueue(say("hi", event_id="e1"))
    store.steps.begin(lead, "token")
    child = build(shop.parts.settings, alone=True)
    try:
        assert child.turns.run_alone(lead, "another turn").outcome == "left"
        assert (child.turns.run_alone(lead, "token").outcome, store.inbox.waiting(lead)) == ("answered", 0)
    finally:
        child.close()


def test_a_reply_that_only_was_there_is_delivered(patient, say, suspect, store, begin_and_record, journal_key):
    shop = patient()
    begin_and_record("e1", "the reply")
    store.redis.hset(journal_key, "sends_vanished", SUSPECT_AFTER)
    assert shop.work() == ["answered"]
    assert (shop.texts(), shop.asked()) == ([["the reply"]], [])


def test_a_reply_that_kills_its_process_ends_as_poison(patient, store, begin_and_record, journal_key):
    shop = patient(worker={"crash_at": "before delivery@e1"})
    begin_and_record("e1", "boom")
    store.redis.hset(journal_key, "sends_vanished", SUSPECT_AFTER)
    assert shop.work()[-1].startswith("dead: poison: its worker vanished 3 times while delivering, then it killed 2")
    assert shop.texts() == []


@pytest.fixture
def begin_and_record(store, say, lead, make_shop):
    """An event whose reply is stored, and whose turn is over."""

    def run(event_id, text):
        make_shop().producer.enqueue(say("hi", event_id=event_id))
        grant = store.steps.begin(lead, "a turn")
        store.steps.record(grant, f'{{"bubbles":["{text}"]}}')
        store.steps.hold(grant, 0, "channel_unavailable", unknown=False)

    return run


def test_the_child_has_the_settings_and_the_keys_of_its_parent(patient, say, suspect):
    shop = patient(encryption={"keys": [KEY]})
    shop.producer = type(shop.producer)(shop.parts.settings, store=shop.parts.store)
    suspect(shop, say("secret", event_id="e1"))
    assert shop.work() == ["answered"]
    assert shop.texts() == [["You said: secret"]]


def test_one_is_tried_at_a_time_and_another_waits_without_cost(patient, say, suspect, store, eventually, lead):
    shop = patient()
    suspect(shop, say("hi", event_id="e1"))
    shop.producer.enqueue(say("hello", target="@other", event_id="e2"))
    other = store.keys.of(OTHER).journal(OTHER, "e2")
    store.redis.hset(other, "asks_vanished", SUSPECT_AFTER)
    shop.fail(FaultKind.DELAY, service="fluidtalk", target="@lead", delay_seconds=3.0)
    said = []
    trial = threading.Thread(target=lambda: said.append(shop.run()))
    trial.start()
    eventually(children, "a child")
    assert ALONE in shop.run(OTHER)
    assert store.redis.hget(other, "asks") == "0"
    trial.join()
    assert said[0].startswith("answered")
    assert shop.work(OTHER) == ["answered"]


def test_a_process_that_ends_takes_its_child_along_and_that_is_no_evidence(
    patient, say, suspect, store, eventually, make_shop, journal_key, upstreams
):
    shop = patient()
    suspect(shop, say("hi", event_id="e1"))
    shop.fail(FaultKind.DELAY, service="fluidtalk", nth=1, delay_seconds=20.0)
    said = []
    trial = threading.Thread(target=lambda: said.append(shop.run()))
    trial.start()
    eventually(children, "a child")
    shop.parts.turns.hand_over()
    trial.join()
    assert said[0].startswith("left to another turn")
    assert (children(), store.redis.hget(journal_key, "killed_alone")) == ([], None)
    upstreams.clear_faults()
    assert make_shop().work() == ["answered"]


def test_a_child_that_does_not_end_is_ended_and_that_is_evidence(impatient, say, suspect, eventually):
    suspect(impatient, say("hi", event_id="e1"))
    said = []
    trial = threading.Thread(target=lambda: said.append(impatient.run()))
    trial.start()
    eventually(children, "a child")
    for child in children():
        os.kill(child, signal.SIGSTOP)
    trial.join()
    assert "it killed 1 of them" in said[0]


def test_a_child_that_cannot_be_started_is_no_evidence(patient, say, suspect, store, journal_key, monkeypatch, caplog):
    shop = patient()
    suspect(shop, say("hi", event_id="e1"))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        assert ALONE in shop.run()
        patch.setattr(sys, "executable", "/bin/false")
        shop.let_holds_run_out()
        assert ALONE in shop.run()
    assert store.redis.hget(journal_key, "killed_alone") is None
    told = [record.getMessage() for record in caplog.records if "not tried alone" in record.getMessage()]
    assert told == ["suspect not tried alone: FileNotFoundError", "suspect not tried alone: exit status 1"]
    shop.let_holds_run_out()
    assert shop.work() == ["answered"]


def test_a_child_that_outlives_its_parent_ends(patient, say, suspect, store, upstreams, eventually):
    """The parent is killed in the middle of the trial: nobody would count how the child ended."""
    shop = patient()
    suspect(shop, say("hi", event_id="e1"))
    shop.fail(FaultKind.DELAY, service="fluidtalk", nth=1, delay_seconds=20.0)
    parent = os.fork()
    if not parent:
        shop.run()
        os._exit(0)
    orphans = eventually(lambda: children(parent), "a child")
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans), "the end of the child")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_to_all_processes_of_the_service_is_for_the_worker(in_trial, store, journal_key, number):
    """So a supervisor ends a service, and a terminal on Ctrl-C: the worker lets its turn end, or ends the child."""
    _, child, end = in_trial()
    os.kill(child, number)
    assert end().startswith("answered")
    assert store.redis.hget(journal_key, "killed_alone") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux chooses by a mark")
def test_when_memory_is_short_the_child_ends_and_not_the_worker(in_trial, eventually):
    _, child, end = in_trial(seconds=1.0)
    eventually(lambda: Path(f"/proc/{child}/oom_score_adj").read_text() == "1000\n", "the mark of the child")
    assert end().startswith("answered")
    assert Path("/proc/self/oom_score_adj").read_text() != "1000\n"


def test_a_delivery_that_the_store_does_not_hear_of_stays_unconfirmed(
    make_shop, upstreams, in_trial, lose_lease_now, store, eventually
):
    """The child has delivered, and the store refuses what follows for longer than it is waited for."""
    shop = make_shop(
        fluidtalk={"base_url": upstreams.fluidtalk_url, "read_seconds": 30},
        captivate={"base_url": upstreams.captivate_url, "read_seconds": 20},
        worker={"store_wait_seconds": 1},
        personas={"ava": {"api_key": "ft_sk_ava", "unknown": {"delivery": "hold"}}},
    )
    shop.fail(FaultKind.DELAY, service="captivate", nth=1, delay_seconds=2.0)
    _, _, end = in_trial(shop=shop)
    eventually(shop.delivered, "the delivery")
    store.redis.config_set("min-replicas-to-write", 1)
    try:
        eventually(lambda: not children(), "the end of the child")
    finally:
        store.redis.config_set("min-replicas-to-write", 0)
    assert end().startswith("left to another turn")
    lose_lease_now()
    shop.work()
    assert len(shop.delivered()) == 1
    assert shop.fates() == {"dead": 1}


@pytest.mark.parametrize("what", ["lead wrote", "opted out", "sealed", "too old"])
def test_what_is_not_asked_any_more_needs_no_trial(patient, say, store, lead, journal_key, monkeypatch, what):
    """So neither a long line nor a machine where no process can be started keeps the lead waiting behind it."""
    shop = patient()
    shop.producer.enqueue(
        say(kind=EventTrigger, event_id="e1", event_type="restocked")
        if what == "too old"
        else say(kind=AiOpener, event_id="e1")
    )
    store.redis.hset(journal_key, "asks_vanished", SUSPECT_AFTER)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert ALONE in shop.run()
    shop.let_holds_run_out()
    if what == "lead wrote":
        shop.producer.enqueue(say("hello", event_id="e2"))
    elif what == "opted out":
        shop.producer.enqueue(say("STOP", event_id="e2"))
    elif what == "sealed":
        store.seals.seal(lead, "ana")
    else:
        store.redis.hset(journal_key, "accepted_at", 1)
    assert shop.run().startswith("sealed" if what == "sealed" else "skipped")


def test_waiting_for_a_place_in_line_does_not_fill_the_timeline(in_trial, say, store):
    shop, _, end = in_trial(seconds=3.0)
    shop.producer.enqueue(say("hello", target="@other", event_id="e2"))
    store.redis.hset(store.keys.of(OTHER).journal(OTHER, "e2"), "asks_vanished", SUSPECT_AFTER)
    for _ in range(10):
        assert ALONE in shop.run(OTHER)
        shop.let_holds_run_out()
    assert end().startswith("answered")
    assert shop.work(OTHER) == ["answered"]
    words = [moment.word for moment in store.timeline.of(OTHER)]
    assert words == ["accepted", *["second ask", "held"] * 2, "second ask", "replied", "answered"]


def test_time_in_which_worker_and_child_stand_still_is_no_evidence(
    impatient, say, suspect, eventually, store, journal_key
):
    """As with a container that is paused."""
    suspect(impatient, say("hi", event_id="e1"))
    worker = os.fork()
    if not worker:
        impatient.run()
        os._exit(0)
    both = [worker, *eventually(lambda: children(worker), "a child")]
    for process in both:
        os.kill(process, signal.SIGSTOP)
    time.sleep(3.5)
    for process in reversed(both):
        os.kill(process, signal.SIGCONT)
    os.waitpid(worker, 0)
    assert store.redis.hget(journal_key, "killed_alone") is None


def test_after_each_worker_that_died_in_its_trial_others_come_first_for_longer(
    patient, say, lose_lease_now, store, lead, journal_key
):
    shop = patient()
    shop.producer.enqueue(say("hi", event_id="e1"))
    pauses = []
    for died in range(4):
        store.redis.hset(journal_key, "asks_vanished", SUSPECT_AFTER + died)
        store.steps.begin(lead, f"a turn that dies {died}")
        lose_lease_now()
        said = shop.run()
        assert ALONE in said
        pauses.append(float(said.split()[2]))
        shop.let_holds_run_out()
    assert all(2**died <= pause <= 3 * 2**died for died, pause in enumerate(pauses))
    assert shop.work() == ["answered"]
    assert store.redis.hget(journal_key, "killed_alone") is None


def test_a_child_calls_nothing_when_its_parent_may_be_taken_for_dead(
    make_shop, say, store, lead, presigned, monkeypatch
):
    """It stood still while its image was fetched, and has heard nothing of the store since."""
    shop = make_shop(lease={"process_ttl_seconds": 0.6, "process_renew_seconds": 0.1}, agenda={"tick_seconds": 0.1})
    shop.producer.enqueue(say("look", attachments=[{"url": presigned}], event_id="e1"))
    store.steps.begin(lead, "token")
    asked = len(shop.asked())

    def away(steps, grants):
        raise StoreError("away")

    monkeypatch.setattr(TurnSteps, "renew", away)
    child = build(shop.parts.settings, alone=True)
    monkeypatch.setattr(
        failpoints, "reached", lambda point, event=None: time.sleep(0.7 * (point == "after hosting an image"))
    )
    try:
        assert child.turns.run_alone(lead, "token").outcome == "left"
    finally:
        child.close()
    assert [call.path for call in shop.asked()[asked:] if call.path == "/api/v1/bot/chat"] == []
