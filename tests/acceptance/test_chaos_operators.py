"""The judge finds what became of operators' words that should not, and operators keep every promise in a chaos run."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.chaos.endings import Ending
from simulation.chaos.incidents import Incident, Incidents
from simulation.chaos.ledger import draw_up
from simulation.chaos.report import markdown
from simulation.chaos.run import Plan, run
from simulation.chaos.versions import Version
from simulation.judge.consent import Rules
from simulation.judge.log import Sent
from simulation.judge.takeovers import Line, Shift
from tests.acceptance.chaos_evidence import Bookkeeper, act, ask, chat, event, send

LEAD = ("ava", "@lead")
CLAIMED, HANDED_BACK = 100.0, 110.0


class Thaws(Incidents):
    """Nothing happened but that frozen workers went on at these moments."""

    def __init__(self, moments):
        super().__init__()
        self._incidents = [Incident("thawed", "", at) for at in moments]


def shift(*texts, claimed_at=CLAIMED, handed_back_at=HANDED_BACK, **more):
    """An operator who says these words, each a second after the other."""
    lines = (Line(text, f"id of {text}", claimed_at + number) for number, text in enumerate(texts))
    return Shift(LEAD, claimed_at, handed_back_at, tuple(lines), **more)


def line(text, at=CLAIMED + 1, **options):
    """A delivery of what an operator said."""
    return send(text, key=options.pop("key", text), at=at, says="{}", **options)


def broken(calls, *shifts, sent=(), thawed_at=(), rules=None, **says):
    return draw_up(list(sent), calls, Thaws(thawed_at), Bookkeeper(**says), 1.0, rules=rules, shifts=shifts).broken


def test_lines_that_arrive_once_and_in_order_keep_the_promise():
    assert broken([line("a"), line("b"), line("c")], shift("a", "b"), shift("c", claimed_at=200.0)) == []


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ([line("a")], ["1 lines of operators that never arrived"]),
        ([line("a"), line("b", acted=False)], ["1 lines of operators that never arrived"]),
        ([line("a"), line("b"), line("a")], ["1 doubled sends that the timeline does not list"]),
        (
            [line("a"), line("b"), line("b", key="other")],
            [
                "1 doubled sends that the timeline does not list",
                "1 lines of operators under another idempotency key",
            ],
        ),
        ([line("b"), line("a")], ["1 lines of operators that a later one overtook"]),
        (
            [line("a"), line("b"), ask("words", at=CLAIMED + 5)],
            ["1 persona calls that began between claim and hand-back"],
        ),
        (
            [line("a"), line("b"), ask("words", at=CLAIMED + 5, acted=False)],
            ["1 persona calls that began between claim and hand-back"],
        ),
    ],
)
def test_what_breaks_a_promise_to_operators_is_found(calls, found):
    assert broken(calls, shift("a", "b")) == found


def test_a_line_that_arrived_again_may_be_named_in_the_timeline():
    assert broken([line("a"), line("a")], shift("a"), words=["resent"]) == []


def test_a_line_on_the_channel_of_an_event_is_no_answer_to_it():
    calls = [act("e0"), send("Hi!", key="e0", event="e0", says="{}"), line("a", event="e0")]
    trigger = event("e0", "event_trigger")
    assert broken(calls, shift("a"), sent=[trigger]) == []
    assert broken([calls[0], calls[2]], shift("a"), sent=[trigger]) == ["1 lost"]


def test_an_act_that_was_refused_is_found():
    found = ["1 acts of operators that were refused in a conversation of theirs"]
    assert broken([], shift(refused=1)) == found


def test_the_persona_may_be_asked_before_and_after_and_for_others():
    others = Shift(("ava", "@other"), CLAIMED, HANDED_BACK)
    calls = [ask("a", at=CLAIMED - 1), ask("b", at=CLAIMED + 1), ask("c", at=HANDED_BACK + 1)]
    assert broken(calls, shift()) == []
    assert broken([ask("a", at=CLAIMED + 5)], others) == []


def test_a_call_that_lay_in_a_frozen_worker_is_counted_apart():
    late = [ask("a", at=CLAIMED + 5.5)]
    assert broken(late, shift(), thawed_at=[CLAIMED + 5]) == []
    assert broken(late, shift(), thawed_at=[CLAIMED + 1]) != []


@pytest.mark.parametrize(
    ("ending", "sent", "allowed"),
    [
        (Ending("dead", "poison_delivering", "times=3"), (), False),
        (Ending("dead", "delivery_refused"), (), False),
        (Ending("skipped", "opted_out"), (), False),
        (Ending("skipped", "opted_out"), (Sent("ava", "@lead", "e0", CLAIMED - 50, said="stop"),), True),
        (Ending("skipped", "taken_over"), (), False),
        (None, (), False),
    ],
)
def test_a_line_ends_without_arriving_only_as_a_policy_names_it(ending, sent, allowed):
    endings = {"id of a": ending, 0: Ending("skipped", "opted_out")}
    assert (broken([], shift("a"), sent=sent, endings=endings) == []) == allowed


def test_no_cap_counts_what_an_operator_said():
    calls = [act("e0"), send("Hello!", key="e0", event="e0", says="{}", at=1.0), ask("hi"), *map(line, "abc")]
    opener = [event("e0", "ai_opener")]
    assert (
        broken(
            [*calls, send("hi", key="hi")], shift("a", "b", "c"), sent=[*opener, chat("hi")], rules=Rules(("ava",), 1)
        )
        == []
    )
    above = broken([*calls, send("hi", key="hi")], sent=[*opener, chat("hi")], rules=Rules(("ava",), 1))
    assert above == ["3 messages to a lead above its cap"]


def test_a_line_that_goes_to_a_lead_who_opted_out_is_found():
    stop = Sent("ava", "@lead", "e0", CLAIMED - 50, said="stop")
    found = broken(
        [ask("words"), line("a", at=CLAIMED)], shift("a"), sent=[stop], endings={0: Ending("skipped", "opted_out")}
    )
    assert found == ["1 outreach sent after a STOP"]


def test_a_version_that_does_not_know_say_is_told_apart(tmp_path):
    assert not Version(tmp_path).knows_say
    assert Version(Path(__file__).parents[2]).knows_say


@pytest.mark.slow
@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_operators_are_heard_once_while_workers_are_killed():
    plan = Plan(
        seed=23,
        messages=300,
        conversations=20,
        seconds=20.0,
        faults=("kill", "crash", "redis", "cut", "doorbells"),
        lease_seconds=3.0,
        pace=0.5,
        drain_seconds=240.0,
    )
    ledger = run(plan)
    report = markdown(ledger)
    assert ledger.broken == [], report
    assert ledger.takeovers.shifts > 3, report
    assert ledger.takeovers.lines > 3, report
