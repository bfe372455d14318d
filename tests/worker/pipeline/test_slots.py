"""Shares of a process's slots."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import OUTREACH, TURNS
from worker.pipeline.slots import Slots


def lead(number, persona="ava"):
    return Conversation(persona, f"@{number}")


def inbound(number, persona="ava"):
    return lead(number, persona), TURNS


def opener(number, persona="ava"):
    return lead(number, persona), OUTREACH


def fill(slots, persona, count, lane=TURNS):
    return [slots.enter(lead(number, persona), lane) for number in range(count)]


def test_a_single_persona_has_all_slots():
    assert None not in fill(Slots(10, 1), "ava", 10)


def test_one_of_several_never_takes_the_last_fifth():
    granted = fill(Slots(100, 2), "ava", 100)
    assert sum(one is not None for one in granted) == 80


def test_whoever_comes_next_finds_room():
    slots = Slots(100, 2)
    fill(slots, "ava", 100)
    assert slots.enter(lead(1, "bea")) == inbound(1, "bea")


def test_those_who_wait_are_served_in_order_by_the_thread_that_ends():
    slots = Slots(1, 1)
    fill(slots, "ava", 4)
    assert [slots.leave(inbound(0)) for _ in range(4)] == [inbound(1), inbound(2), inbound(3), None]


def test_a_doorbell_that_waits_is_noted_once():
    slots = Slots(1, 1)
    slots.enter(lead(0))
    slots.enter(lead(1))
    slots.enter(lead(1))
    assert [slots.leave(inbound(0)), slots.leave(inbound(1))] == [inbound(1), None]


def test_the_first_who_waits_goes_before_a_newcomer():
    slots = Slots(10, 2)
    fill(slots, "ava", 9)
    slots.leave(inbound(0), serve=False)
    assert slots.enter(lead(99)) == inbound(8)


def test_two_busy_personas_come_to_equal_shares():
    slots = Slots(100, 2)
    running = Counter()

    def doorbells_of_both():
        for persona in ("ava", "bea"):
            running[persona] += sum(one is not None for one in fill(slots, persona, 200))

    doorbells_of_both()
    assert running == {"ava": 80, "bea": 40}, "one was there first"
    for _ in range(300):
        for persona in ("ava", "bea"):
            if running[persona]:
                running[persona] -= 1
                following = slots.leave(inbound(0, persona))
                if following:
                    running[following[0].persona] += 1
        doorbells_of_both()
    assert running == {"ava": 40, "bea": 40}


def test_when_the_process_stops_nobody_else_is_served():
    slots = Slots(1, 1)
    fill(slots, "ava", 3)
    slots.close()
    assert slots.leave(inbound(0)) is None


def test_outreach_takes_its_share_and_leads_find_the_rest_free():
    slots = Slots(10, 1, outreach_share=0.3)
    assert sum(one is not None for one in fill(slots, "ava", 10, OUTREACH)) == 3
    assert sum(one is not None for one in fill(slots, "ava", 10)) == 7


def test_the_share_of_outreach_is_one_of_each_personas_part():
    granted = fill(Slots(100, 2, outreach_share=0.5), "ava", 100, OUTREACH)
    assert sum(one is not None for one in granted) == 40


@pytest.mark.parametrize("ended", [inbound(0), opener(0)])
def test_a_lead_who_waits_goes_before_outreach_that_waited_longer(ended):
    slots = Slots(1, 1)
    slots.enter(*ended)
    slots.enter(*opener(1))
    slots.enter(*inbound(2))
    assert [slots.leave(ended), slots.leave(inbound(2)), slots.leave(opener(1))] == [inbound(2), opener(1), None]


def test_a_slot_that_a_lead_leaves_is_not_given_to_outreach_beyond_its_share():
    slots = Slots(4, 1, outreach_share=0.5)
    fill(slots, "ava", 3, OUTREACH)
    slots.enter(lead(10))
    assert slots.leave(inbound(10)) is None
    assert slots.leave(opener(0)) == opener(2)


def test_outreach_beyond_those_that_may_wait_is_left_to_the_agenda():
    slots = Slots(4, 1, outreach_share=0.5)
    fill(slots, "ava", 1000, OUTREACH)
    served = [slots.leave(opener(0)), slots.leave(opener(1)), slots.leave(opener(2)), slots.leave(opener(3))]
    assert served == [opener(2), opener(3), None, None]


def test_outreach_that_is_not_noted_is_told_once_to_be_given_back():
    slots = Slots(4, 1, outreach_share=0.5)
    fill(slots, "ava", 6, OUTREACH)
    slots.enter(*opener(3))
    assert (slots.left_out(), slots.left_out()) == ([lead(4), lead(5)], [])


def work_off(slots, threads, doorbells):
    """The personas in the order in which their turns end, when threads take these doorbells as a process does."""
    queue, running, free, ended = deque(doorbells), deque(), threads, []
    while queue or running:
        while free and queue:
            entered = slots.enter(queue.popleft())
            if entered:
                free -= 1
                running.append(entered)
        turn = running.popleft()
        ended.append(turn[0].persona)
        following = slots.leave(turn)
        if following:
            running.append(following)
        else:
            free += 1
    return ended


def test_with_more_busy_personas_than_slots_a_thread_is_left_for_whoever_comes_next():
    names = [f"persona-{number}" for number in range(25)]
    doorbells = [lead(number, name) for name in names for number in range(50)]
    ended = work_off(Slots(20, 26), 20, [*doorbells, lead(0, "zoe")])
    assert ended.index("zoe") < 200
    assert len(ended) == len(doorbells) + 1, "all are served, also those whose persona had no turn left to serve them"


def test_with_more_busy_personas_than_slots_the_slots_go_round():
    names = [f"persona-{number}" for number in range(25)]
    doorbells = [lead(number, name) for name in names for number in range(50)]
    ended = work_off(Slots(20, 25), 20, doorbells)
    assert {ended[:500].count(name) for name in names} <= set(range(10, 45))


@pytest.mark.parametrize("personas", [1, 3, 20])
def test_every_lead_is_served_once_and_every_slot_comes_back(personas):
    slots = Slots(8, personas, outreach_share=0.5)
    served, lock, dice = [], threading.Lock(), random.Random(7)
    busy = {"outreach": 0, "most": 0}

    def doorbell(bell):
        following = slots.enter(*bell)
        while following:
            with lock:
                served.append(following)
                busy["outreach"] += following[1] == OUTREACH
                busy["most"] = max(busy["most"], busy["outreach"])
            with lock:
                busy["outreach"] -= following[1] == OUTREACH
            following = slots.leave(following)

    leads = [(lead(number, f"persona-{number % personas}"), TURNS) for number in range(2000)]
    openers = [(lead(number, f"persona-{number % personas}"), OUTREACH) for number in range(2000, 3000)]
    bells = [*leads, *openers]
    dice.shuffle(bells)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(doorbell, bells))
    assert sorted(bell for bell in served if bell[1] == TURNS) == sorted(leads)
    assert len(served) == len(set(served))
    assert busy["most"] <= 4 + personas
    assert free_slots(slots, personas) == free_slots(Slots(8, personas, outreach_share=0.5), personas)


def free_slots(slots, personas):
    """Which doorbells find a slot at once: openers first, then leads, of all personas in turn."""
    bells = [opener(number, f"persona-{number % personas}") for number in range(100)]
    bells += [inbound(number, f"persona-{number % personas}") for number in range(100, 200)]
    return [slots.enter(*bell) for bell in bells]
