"""What needs a person, and the one sentence about the whole."""

from __future__ import annotations

import pytest

from worker.cli.condition import Condition, persona_condition
from worker.cli.needs import needs, sentence
from worker.store.heartbeats import Alive, Gone
from worker.store.redis.troubles import Trouble
from worker.store.redis.writes import Memory
from worker.store.views.figures import Figures, Waiting

NOW = 1_800_000_000_000
WELL = Alive(2, 1)
FULL = Trouble("OOM", "is full", "make room")
REPLICA = Trouble("READONLY", "is a replica", "wait")
OPEN = {"circuit_until": str(NOW + 9000), "circuit_reason": "no_answer status=503"}


def gone(role, state):
    return Alive(0 if role == "worker" else 2, 0 if role == "beat" else 1, (Gone(role, "host:7", NOW - 9000, state),))


@pytest.fixture
def condition():
    """A condition; ``gates``: of ava. ``waiting``: by reason, of ava unless a persona is named."""

    def make(alive=WELL, gates=None, waiting=None, **fields):
        rows = {key if isinstance(key, tuple) else ("ava", key): row for key, row in (waiting or {}).items()}
        figures = Figures({}, rows, {}, **fields)
        for (persona, _), row in rows.items():
            counted = figures.counters.setdefault(persona, {"accepted": 0})
            counted["accepted"] += row.events
        names = sorted({"ava", *(persona for persona, _ in rows)})
        personas = tuple(
            persona_condition(name, figures, (gates or {}) if name == "ava" else {}, NOW) for name in names
        )
        return Condition(NOW, figures, alive, personas, 0, 0)

    return make


def test_all_is_well(condition):
    assert sentence(condition()) == "All well: 2 workers, 1 beat; nothing waits."
    some = condition(waiting={"turn": Waiting(1, 1, 4.2), "worker": Waiting(2, 3, 7.0)})
    assert needs(some) == []
    assert sentence(some) == "All well: 2 workers, 1 beat; 4 events wait, the oldest for 7 s."
    assert (some.personas[0].running, some.conversations) == (1, 3)
    sampled = condition(waiting={"turn": Waiting(1, 1, 4.2)}, sampled=True)
    assert sentence(sampled).endswith("; about 1 event waits, the oldest for 4 s.")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alive": Alive(0, 1)}, ["no worker is alive: none has run so far"]),
        ({"alive": gone("worker", "frozen")}, ["no worker is alive: host:7 is frozen"]),
        ({"alive": gone("worker", "dead")}, ["no worker is alive: host:7 is dead"]),
        ({"alive": gone("worker", "silent")}, ["no worker is alive: host:7 is frozen or dead"]),
        ({"alive": gone("beat", "stopped")}, ["no beat is alive: the last one was stopped"]),
        ({"alive": gone("beat", "dead"), "agenda_lag_seconds": 60}, ["no beat is alive: host:7 is dead"]),
        ({"alive": gone("worker", "dead"), "refusal": FULL}, ["the store is full (OOM): nothing new", "no worker is"]),
        ({"alive": Alive(0, 0), "refusal": REPLICA}, ["the store takes no writes: it is a replica (READONLY)"]),
        ({"agenda_lag_seconds": 60}, ["no worker takes the queue schedule: what is due is 60 s late"]),
        ({"agenda_lag_seconds": 9}, []),
        ({"memory": Memory(91 << 20, 100 << 20, "noeviction")}, ["nearly full: 91.0 MB of 100.0 MB (91%)"]),
        ({"memory": Memory(89 << 20, 100 << 20, "noeviction")}, []),
        ({"memory": Memory(1 << 20, 0, "allkeys-lru")}, ["the store deletes events when its memory is full"]),
        ({"queues": {"accept": 101}}, ["101 events in the queue accept are not read"]),
        ({"unread": {"acept": 2}}, ["messages lie in queues that no worker reads (acept: 2)"]),
        (
            {"unread": dict.fromkeys("abcdefg", 1)},
            ["messages lie in queues that no worker reads (a: 1, b: 1, c: 1, d: 1, e: 1, 2 more)"],
        ),
        ({"dead_letters": 3}, ["3 events ended without an answer"]),
        ({"follow_up_lateness_seconds": 301}, ["follow-ups are 5 min late"]),
        ({"waiting": {"worker": Waiting(5, 5, 61)}}, ["leads of ava wait for a worker, the first for 61 s"]),
        (
            {"waiting": {"hold": Waiting(5, 5, 84, "persona_throttled status=429")}},
            ["leads of ava are held because of: throttled by the persona (429), the first for 84 s"],
        ),
        ({"waiting": {"hold": Waiting(5, 5, 59, "persona_throttled status=429")}}, []),
        (
            {
                "gates": {"credits_until": "5", "credits_reason": "credits_out"},
                "waiting": {"hold": Waiting(5, 5, 84, "credits_out")},
            },
            ["ava has no credits for new leads (402)"],
        ),
        ({"waiting": {"moment": Waiting(5, 5, 6100)}}, []),
        (
            {"gates": OPEN, "waiting": {"circuit": Waiting(2, 2, 84), "hold": Waiting(1, 1, 70)}},
            ["FluidTalk does not answer for ava (status 503), 3 events wait, the first for 84 s"],
        ),
        ({"gates": OPEN, "waiting": {"turn": Waiting(1, 1, 84)}}, ["FluidTalk does not answer for ava (status 503)"]),
        ({"gates": OPEN, "waiting": {"circuit": Waiting(2, 2, 59)}}, []),
        ({"gates": {"hold_until": str(NOW + 9000), "hold_reason": "429"}}, []),
        ({"gates": {"circuit_until": str(NOW + 9000), "circuit_reason": "down"}}, []),
        ({"gates": {"paused": "holiday"}}, []),
        (
            {"gates": {"paused": "holiday"}, "waiting": {"paused": Waiting(1, 2, 5)}},
            ["ava is paused (holiday), 2 events"],
        ),
        (
            {"gates": {"quarantined": "key_refused status=401"}},
            ["FluidTalk refuses the key of ava (status 401), 0 events wait"],
        ),
        (
            {"gates": {"credits_until": "5", "credits_reason": "credits_out"}},
            ["ava has no credits for new leads (402)"],
        ),
        (
            {"gates": {"credits_until": "5", "credits_reason": "credits_out leads=all"}},
            ["ava has no credits (402)"],
        ),
        (
            {"gates": {"credits_until": "5", "credits_reason": "credits_out reason=plan_limit leads=all"}},
            ["ava is paused at FluidTalk (plan_limit)"],
        ),
        ({"gates": {"outreach": "15 of 50"}}, ["persona ava sends no openers and follow-ups (15 of 50)"]),
        (
            {
                "waiting": {("other", "unconfigured"): Waiting(8, 9, 7300)},
                "unconfigured": {"zoe": Waiting(7, 8, 7300), "kim": Waiting(1, 1, 5)},
            },
            [
                "persona zoe is not configured, 8 events wait in 7 conversations, the first for 2 h",
                "persona kim is not configured, 1 event waits in 1 conversation, the first for 5 s",
            ],
        ),
    ],
)
def test_each_thing_that_needs_a_person(condition, given, said):
    found = [need.what for need in needs(condition(**given))]
    assert len(found) == len(said)
    assert all(part in what for part, what in zip(said, found, strict=True))


def test_books_that_do_not_balance(condition):
    wrong = condition()
    wrong.figures.counters["ava"] = {"accepted": 5, "answered": 3}
    assert [need.what for need in needs(wrong)] == ["2 events of ava are unexplained"]


def test_the_first_line_counts_what_needs_a_person(condition):
    assert sentence(condition(alive=Alive(0, 1))) == "1 thing needs you: no worker is alive: none has run so far."
    several = condition(alive=Alive(1, 0), dead_letters=1)
    assert sentence(several) == (
        "2 things need you: no beat is alive: none has run so far; 1 event ended without an answer."
    )


def test_a_gate_says_until_when(condition):
    gates = {"paused": "x", "hold_until": str(NOW + 5), "hold_reason": "429"}
    assert [tuple(gate) for gate in condition(gates=gates).personas[0].gates] == [
        ("paused", "x", 0, "x"),
        ("hold", "429", NOW + 5, "429"),
    ]
