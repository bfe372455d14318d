"""Shares of a process's slots."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.conversation import Conversation
from worker.slots import Slots


def lead(number, persona="ava"):
    return Conversation(persona, f"@{number}")


def fill(slots, persona, count):
    return [slots.enter(lead(number, persona)) for number in range(count)]


def test_a_single_persona_has_all_slots():
    assert None not in fill(Slots(10, 1), "ava", 10)


def test_one_of_several_never_takes_the_last_fifth():
    granted = fill(Slots(100, 2), "ava", 100)
    assert sum(one is not None for one in granted) == 80


def test_whoever_comes_next_finds_room():
    slots = Slots(100, 2)
    fill(slots, "ava", 100)
    assert slots.enter(lead(1, "bea")) == lead(1, "bea")


def test_those_who_wait_are_served_in_order_by_the_thread_that_ends():
    slots = Slots(1, 1)
    fill(slots, "ava", 4)
    assert [slots.leave("ava") for _ in range(4)] == [lead(1), lead(2), lead(3), None]


def test_a_doorbell_that_waits_is_noted_once():
    slots = Slots(1, 1)
    slots.enter(lead(0))
    slots.enter(lead(1))
    slots.enter(lead(1))
    assert [slots.leave("ava"), slots.leave("ava")] == [lead(1), None]


def test_the_first_who_waits_goes_before_a_newcomer():
    slots = Slots(10, 2)
    fill(slots, "ava", 9)
    slots.leave("ava", serve=False)
    assert slots.enter(lead(99)) == lead(8)


def test_two_busy_personas_come_to_equal_shares():
    slots = Slots(100, 2)
    fill(slots, "ava", 200)
    fill(slots, "bea", 200)
    for _ in range(300):
        for persona in ("ava", "bea"):
            if slots._used.get(persona):
                slots.leave(persona)
        fill(slots, "ava", 200)
        fill(slots, "bea", 200)
    assert slots._used == {"ava": 40, "bea": 40}


def test_when_the_process_stops_nobody_else_is_served():
    slots = Slots(1, 1)
    fill(slots, "ava", 3)
    slots.close()
    assert slots.leave("ava") is None


@pytest.mark.parametrize("personas", [1, 3])
def test_every_doorbell_is_served_once_and_every_slot_comes_back(personas):
    slots = Slots(8, personas)
    served, lock = [], threading.Lock()

    def doorbell(conversation):
        following = slots.enter(conversation)
        while following:
            with lock:
                served.append(following)
            following = slots.leave(following.persona)

    leads = [lead(number, f"persona-{number % personas}") for number in range(2000)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(doorbell, leads))
    assert sorted(served) == sorted(leads)
    assert slots._used == {}
