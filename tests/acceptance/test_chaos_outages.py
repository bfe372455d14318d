"""A short seeded run in which upstreams are away keeps every promise, and the judge notices when one is broken."""

from __future__ import annotations

import itertools
import random
import threading

import pytest
from redis.exceptions import ConnectionError as RedisAway

from simulation.chaos.endings import Ending, Policies
from simulation.chaos.gate_watch import Closing, GateWatch
from simulation.chaos.outages import Outage, Outages
from simulation.chaos.report import markdown
from simulation.chaos.run import Plan, run
from simulation.chaos.subjects import whole_rows
from simulation.chaos.upstream_outages import WAYS, in_turn, rules
from simulation.judge.log import Log, Sent
from simulation.judge.words import session_of
from simulation.upstreams.call_log import Call
from worker.store.views.timeline import moment_of

ARRIVALS = itertools.count(1)
AWAY = Outage("fluidtalk", "500", 100.0, 160.0)
CHANNEL_AWAY = Outage("captivate", "401", 100.0, 160.0)
SHUT = Closing("persona ava", 102.0, 163.0)
CHANNEL_SHUT = Closing("channel", 102.0, 163.0)
UNKNOWN = Ending("dead", "outcome_unknown")
TRIGGER = Sent("ava", "@lead", "e0", 90.0, "event_trigger")


def ask(at, text="hello", *, seconds=0.1, acted=False, target="@lead", persona="ava", action=None):
    return Call(
        service="fluidtalk",
        method="POST",
        path="/api/v1/bot/action" if action else "/api/v1/bot/chat",
        persona=persona,
        target=target,
        action=action,
        fields={"own_username": text} if action else {"message": text},
        arrived=next(ARRIVALS),
        acted=acted,
        status=200 if acted else 500,
        fault=None if acted else "answer",
        start_wall=at,
        end_wall=at + seconds,
    )


def upload(at):
    call = ask(at)
    call.target = None
    return call


def send(at, text="hello", *, acted=True, target="@lead"):
    return Call(
        service="captivate",
        method="POST",
        path="/api/channel/v2/sendMessage",
        session_id=session_of("ava", target),
        fields={"response": [{"type": "text", "text": f"You said: {text}"}]},
        arrived=next(ARRIVALS),
        acted=acted,
        start_wall=at,
        end_wall=at + 0.1,
    )


def times(first, last, pause):
    return [first + pause * number for number in range(int((last - first) / pause) + 1)]


def test_one_try_in_each_interval_is_what_a_closed_gate_lets_through():
    calls = [ask(at) for at in times(100.0, 160.0, 5.0)]
    assert Outages([AWAY], [SHUT], calls).too_many_tries() == 0


@pytest.mark.parametrize("call", [ask, upload])
def test_more_than_one_in_each_interval_are_too_many(call):
    calls = [call(at) for at in times(100.0, 160.0, 2.0)]
    assert Outages([AWAY], [SHUT], calls).too_many_tries() > 10


def test_deliveries_are_tried_once_in_each_interval_for_the_whole_channel():
    few, many = (
        [send(at, acted=False, target=f"@{number}") for number, at in enumerate(times(100.0, 160.0, pause))]
        for pause in (5.0, 2.0)
    )
    assert Outages([CHANNEL_AWAY], [CHANNEL_SHUT], few).too_many_tries() == 0
    assert Outages([CHANNEL_AWAY], [CHANNEL_SHUT], many).too_many_tries() > 10


def test_calls_before_the_gate_closed_after_the_outage_and_of_another_persona_are_no_tries():
    calls = [ask(at) for at in (*times(100.0, 104.9, 0.1), *times(160.1, 163.0, 0.1))]
    calls += [ask(at, persona="bea") for at in times(100.0, 160.0, 0.5)]
    assert Outages([AWAY], [SHUT], calls).too_many_tries() == 0


def test_what_a_frozen_worker_sends_when_it_wakes_is_no_try():
    calls = [ask(at) for at in times(130.0, 130.9, 0.01)]
    assert Outages([AWAY], [SHUT], calls).too_many_tries() > 70
    assert Outages([AWAY], [SHUT], calls, thawed_at=[129.99]).too_many_tries() == 0


def test_an_outage_that_fails_many_calls_closes_a_gate():
    calls = [ask(at) for at in times(101.0, 150.0, 0.5)]
    assert Outages([AWAY], [], calls).unnoticed() == 1
    assert Outages([AWAY], [SHUT], calls).unnoticed() == 0
    assert Outages([AWAY], [], calls[:20]).unnoticed() == 0


@pytest.mark.parametrize(
    ("called_at", "deaths", "allowed"),
    [
        ([101.0], [], True),
        ([103.0], [], True),
        ([120.0], [], False),
        ([101.0, 120.0], [], False),
        ([161.0], [], True),
        ([], [], False),
        ([], [95.0], True),
        ([], [80.0], False),
    ],
)
def test_a_trigger_is_hit_only_by_a_call_from_before_the_gate_closed(called_at, deaths, allowed):
    calls = [ask(at, "e0", action="ENTRY_POINT") for at in called_at]
    policies = Policies(Log([TRIGGER], calls), Outages([AWAY], [SHUT], calls), deaths)
    assert policies.allow(TRIGGER, UNKNOWN) is allowed


@pytest.mark.parametrize("kind", ["inbound_chat", "ai_opener"])
@pytest.mark.parametrize(
    "cause",
    [
        "outcome_unknown",
        "gave_up",
        "delivery_refused",
    ],
)
def test_no_outage_ends_a_chat_or_an_opener(kind, cause):
    message = Sent("ava", "@lead", "e0", 90.0, kind)
    assert not Policies(Log([message], []), Outages(), [95.0]).allow(message, Ending("dead", cause))


def waits(*calls, sent_at=120.0):
    # The best pace of the run: twenty calls in ten seconds.
    before = [ask(10.0 + number / 2, acted=True, target="@other") for number in range(20)]
    return Outages([AWAY], [SHUT], [*before, *calls]).waits([Sent("ava", "@lead", "hello", sent_at)])


def test_a_wait_counts_from_the_end_of_the_outage_to_the_answer():
    [wait] = waits(ask(175.0, acted=True, seconds=3.0), send(180.0))
    assert 15.0 < wait < 17.1, "20 s less its own call of 3 s and the share of one call"


def test_work_for_others_is_no_wait():
    others = [ask(160.1 + number / 4, acted=True, target="@other") for number in range(38)]
    [wait] = waits(*others, ask(170.0, acted=True, seconds=0.2), send(170.2))
    assert wait == 0.0


def test_who_hangs_in_a_call_waits_from_its_end():
    [wait] = waits(ask(150.0, seconds=20.0), ask(171.0, acted=True), send(171.5))
    assert wait < 2.0


def test_only_what_waited_at_the_end_counts():
    assert waits(ask(175.0, acted=True), send(180.0), sent_at=161.0) == []
    assert waits(ask(130.0, acted=True), send(131.0)) == []


def test_the_watch_sees_a_gate_close_and_open_and_knows_nothing_while_the_store_is_away():
    answers = [(), ("channel",), ("channel",), None, ("channel",), ()]
    over = threading.Event()

    def look():
        if not answers:
            over.set()
            return ()
        answer = answers.pop(0)
        if answer is None:
            raise RedisAway
        return answer

    watch = GateWatch(look)
    watch.start()
    assert over.wait(60)
    first, second = watch.stop()
    assert (first.owner, second.owner) == ("channel", "channel")
    assert first.seen_at < first.until < second.seen_at


def test_attempts_that_a_timeline_leaves_out_are_counted():
    lines = [
        '[1, "accepted", "inbound_chat", "e0"]',
        '[2, "asking", 1, 1, 1]',
        '[3, "held", "no answer", 4, "unknown"]',
        '[4, "second ask", 2, 2, 1]',
        '[5, "held", "no answer", 6, "unknown"]',
        '[6, "second ask", 12, 12, 1]',
        '[7, "replied"]',
        '[8, "sending", 1, 12, ""]',
        '[9, "answered", "", 1]',
        '[10, "asking", 1, 13, 1]',
    ]
    words = whole_rows([moment_of(line) for line in lines])
    assert words.count("second ask") == 11
    assert (words.count("asking"), words.count("sending"), words.count("held")) == (2, 1, 2)


def test_each_way_of_an_outage_fails_every_call():
    for service, names in {"fluidtalk": set(WAYS) - {"401"}, "captivate": set(WAYS)}.items():
        order = in_turn(random.Random(1))
        seen = [what for of, what in itertools.islice(order, 2 * len(WAYS)) if of == service]
        assert set(seen) == names
    for what in WAYS:
        made = rules("captivate", what, 1.0)
        assert made[-1].probability == 1.0
        assert all(rule.kind.value in ("answer", "drop", "act_then_drop", "hang") for rule in made)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_a_short_run_with_outages_of_both_upstreams_keeps_every_promise():
    plan = Plan(
        seed=3,
        messages=240,
        conversations=60,
        seconds=60.0,
        faults=("outage",),
        workers=2,
        lease_seconds=3.0,
        outage_seconds=6.0,
        probe_seconds=1.0,
        pace=0.1,
        drain_seconds=240.0,
    )
    ledger = run(plan)
    report = markdown(ledger)
    assert ledger.broken == [], report
    assert ledger.incidents["outage of fluidtalk"] >= 1, report
    assert ledger.incidents["outage of captivate"] >= 1, report
    assert ledger.waits, report


@pytest.mark.slow
@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_a_short_run_with_a_store_in_trouble_keeps_every_promise():
    plan = Plan(
        seed=4,
        messages=240,
        conversations=60,
        seconds=25.0,
        faults=("full", "refused", "replica", "step"),
        workers=2,
        lease_seconds=3.0,
        pace=0.15,
        drain_seconds=240.0,
    )
    ledger = run(plan)
    report = markdown(ledger)
    assert ledger.broken == [], report
    for kind in ("store full", "store refuses writes", "replica away", "the store's clock steps back"):
        assert ledger.incidents[kind] >= 1, report
