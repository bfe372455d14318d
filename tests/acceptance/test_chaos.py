"""A short seeded chaos run keeps every promise, and the judge of such runs finds what he is to find."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from worker.simulation.call_log import Call
from worker.simulation.chaos.evidence import read_calls, repeats, seconds_to_recover, seconds_to_resume
from worker.simulation.chaos.feed import messages, session_of
from worker.simulation.chaos.incidents import Incidents
from worker.simulation.chaos.ledger import draw_up
from worker.simulation.chaos.report import markdown
from worker.simulation.chaos.run import FAULTS, Plan, run
from worker.simulation.checker import Sent

ARRIVALS = itertools.count(1)


def ask(text, *, at=0.0, acted=True, target="@lead", gone=False, fault=None):
    return Call(
        service="fluidtalk",
        method="POST",
        path="/api/v1/bot/chat",
        persona="ava",
        target=target,
        fields={"message": text},
        arrived=next(ARRIVALS),
        acted=acted,
        client_gone=gone,
        fault=fault,
        start_wall=at,
        end_wall=at + 1,
    )


def send(text, *, at=0.0, acted=True, key="k", target="@lead"):
    return Call(
        service="captivate",
        method="POST",
        path="/api/channel/v2/sendMessage",
        session_id=session_of("ava", target),
        fields={"response": [{"type": "text", "text": f"You said: {text}"}]},
        idempotency_key=key,
        arrived=next(ARRIVALS),
        acted=acted,
        start_wall=at,
        end_wall=at + 1,
    )


class Bookkeeper:
    """A subject that only has something to say about itself."""

    doorbells_are_hints = True

    def __init__(self, *, given_up=None, words=(), unexplained=0, waiting=0):
        self._given_up, self._words = given_up or {}, words
        self._unexplained, self._waiting = unexplained, waiting

    def given_up(self):
        return self._given_up

    def words(self, persona, target):
        return self._words

    def unexplained(self):
        return self._unexplained

    def waiting(self):
        return self._waiting


def broken(calls, texts=("a", "b"), **says):
    sent = [Sent("ava", "@lead", text, 0.0) for text in texts]
    return draw_up(sent, calls, Incidents(), Bookkeeper(**says), 1.0).broken


def answered(*texts):
    return [call for text in texts for call in (ask(text), send(text, key=text))]


def test_a_run_in_which_all_is_well_breaks_no_promise():
    assert broken(answered("a", "b")) == []


@pytest.mark.parametrize(
    ("calls", "says", "found"),
    [
        (answered("a"), {}, ["1 lost"]),
        ([*answered("a"), ask("b")], {}, ["1 lost"]),
        (answered("a"), {"given_up": {1: "poison"}}, []),
        (answered("a"), {"given_up": {0: "poison"}}, ["1 lost"]),
        (answered("b", "a"), {}, ["1 overtaken"]),
        ([ask("a"), *answered("a", "b")], {}, ["1 second asks that the timeline does not list"]),
        ([ask("a"), *answered("a", "b")], {"words": ["asking", "second ask"]}, []),
        ([ask("a"), ask("a"), *answered("a", "b")], {"words": ["second ask"]}, ["1 second asks that the timeline"]),
        ([ask("a", acted=False), *answered("a", "b")], {}, []),
        ([ask("a"), send("a", acted=False), *answered("a", "b")], {"words": ["second ask"]}, ["1 second asks after"]),
        ([*answered("a"), send("a", key="a"), *answered("b")], {}, ["1 doubled sends that the timeline does not list"]),
        ([*answered("a"), send("a", key="a"), *answered("b")], {"words": ["resent"]}, []),
        ([*answered("a"), send("a", key="z"), *answered("b")], {"words": ["resent"]}, ["1 doubled sends under"]),
        ([*answered("a"), send("a", key=None), *answered("b")], {"words": ["resent"]}, ["1 doubled sends under"]),
        (answered("a", "b"), {"unexplained": 2}, ["2 unexplained"]),
        (answered("a", "b"), {"waiting": 3}, ["3 still waiting"]),
    ],
)
def test_each_broken_promise_is_found(calls, says, found):
    result = broken(calls, **says)
    assert len(result) == len(found)
    assert all(line.startswith(start) for line, start in zip(result, found, strict=True)), result


def test_overlapping_calls_are_found():
    overlapping = ask("a")
    overlapping.overlaps = 1
    assert broken([overlapping, send("a"), *answered("b")]) == ["1 overlapping"]


def test_words_joined_with_words_already_heard_count_as_asked_again():
    found = repeats([ask("a"), ask("a\nb")], [])
    assert found.asks == Counter({("ava", "@lead"): 1})


def test_what_a_frozen_worker_says_when_it_wakes_is_counted_apart():
    calls = [ask("a"), send("a"), ask("a", at=10.2)]
    woken, awake = repeats(calls, [10.0]), repeats(calls, [5.0])
    assert (woken.after_waking, woken.asks_after_send_after_waking, woken.asks_after_send) == (1, 1, 0)
    assert (awake.after_waking, awake.asks_after_send_after_waking, awake.asks_after_send) == (0, 0, 1)


def test_recovery_counts_from_the_death_to_the_next_call_of_each_conversation_held():
    calls = [
        ask("a", at=10.0, gone=True),
        ask("x", at=10.0, target="@other"),
        ask("h", at=10.0, target="@hung", gone=True, fault="hang"),
        ask("a", at=17.5),
        ask("x2", at=18.0, target="@other"),
    ]
    assert seconds_to_recover(calls, [10.5]) == [7.0]
    assert seconds_to_recover(calls, [12.0]) == [], "no call was under way then"


def test_resuming_counts_to_the_first_call_after_redis_is_back():
    assert seconds_to_resume([ask("a", at=3.0), ask("b", at=9.0), ask("c", at=9.5)], [8.5]) == [0.5]


def test_a_seed_gives_the_same_messages_and_another_one_gives_others():
    first, again, other = (list(messages(seed, 200, 20, ("ava", "bea"))) for seed in (1, 1, 2))
    assert first == again != other
    assert [message.number for message in first] == list(range(200))
    assert len({message.text for message in first}) == 200


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    file = tmp_path / "calls.jsonl"
    whole = ask("a").to_json()
    file.write_text(f"{whole}\n{whole[:40]}")
    assert [call.fields for call in read_calls(file)] == [{"message": "a"}]


@pytest.mark.acceptance
@pytest.mark.timeout(180)
def test_a_short_run_with_all_faults_keeps_every_promise():
    plan = Plan(
        seed=7,
        messages=1000,
        conversations=100,
        seconds=15.0,
        faults=FAULTS,
        lease_seconds=3.0,
        pace=0.25,
        drain_seconds=60.0,
    )
    ledger = run(plan)
    report = markdown(ledger)
    assert ledger.broken == [], report
    assert ledger.verdict.messages == 1000
    assert ledger.incidents["worker killed (kill -9)"] >= 5, report
    assert ledger.incidents["worker killed at a step"] >= 1, report
    assert ledger.incidents["Redis killed (kill -9)"] >= 1, report
    assert ledger.incidents["worker frozen (SIGSTOP for three leases)"] >= 1, report
    assert ledger.recovery_seconds, report
    assert ledger.resume_seconds, report


def test_the_command_says_what_it_does_not_know():
    command = [sys.executable, "-m", "worker.simulation.chaos", "--faults", "kill,earthquake"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown: earthquake; there are kill, freeze" in done.stderr


@pytest.mark.acceptance
@pytest.mark.timeout(180)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the published client warns when it is imported
def test_the_plain_worker_that_parley_is_compared_with_works_when_nothing_goes_wrong():
    plan = Plan(
        seed=3, messages=30, conversations=30, seconds=3.0, faults=(), app="benchmarks.plain_celery", drain_seconds=60.0
    )
    ledger = run(plan)
    assert (ledger.lost, ledger.waiting, ledger.second_asks, ledger.doubled_sends) == (0, 0, 0, 0), markdown(ledger)
