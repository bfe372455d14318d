"""How long the next try waits."""

from __future__ import annotations

from worker.web.console.throttle import Throttle


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_each_wrong_one_doubles_the_wait_up_to_five_minutes():
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(14):
        throttle.failed("kim", "192.0.2.1")
        waits.append(throttle.wait_seconds("kim", "192.0.2.1"))
        clock.at += waits[-1]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_others_do_not_wait():
    throttle = Throttle(Clock())
    for _ in range(10):
        throttle.failed("kim", "192.0.2.1")
    assert throttle.wait_seconds("kim", "192.0.2.2") == 0
    assert throttle.wait_seconds("vera", "192.0.2.1") == 0


def test_an_address_that_tries_many_names_waits():
    throttle = Throttle(Clock())
    for number in range(20):
        throttle.failed(f"name-{number}", "192.0.2.1")
    assert throttle.wait_seconds("kim", "192.0.2.1") > 0
    assert throttle.wait_seconds("kim", "192.0.2.1", known="browser") == 0


def test_one_network_of_ipv6_is_one_address():
    throttle = Throttle(Clock())
    for number in range(3):
        throttle.failed("kim", f"2001:db8::{number}")
    assert throttle.wait_seconds("kim", "2001:db8::ffff") > 0
    assert throttle.wait_seconds("kim", "2001:db8:0:1::1") == 0


def test_the_right_one_begins_anew_and_time_forgets():
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3):
        throttle.failed("kim", "192.0.2.1")
    throttle.succeeded("kim", "192.0.2.1")
    assert throttle.wait_seconds("kim", "192.0.2.1") == 0
    for _ in range(9):
        throttle.failed("kim", "192.0.2.1")
    clock.at += 1000
    throttle.failed("kim", "192.0.2.1")
    assert throttle.wait_seconds("kim", "192.0.2.1") == 0


def test_what_strangers_try_takes_bounded_memory():
    throttle = Throttle(Clock())
    for _ in range(3):
        throttle.failed("first", "192.0.2.1")
    for number in range(11_000):
        throttle.failed("x" * 100_000 + str(number), f"10.{number >> 8}.{number & 255}.1")
    assert throttle.wait_seconds("first", "192.0.2.1") == 0, "the one that was quiet for the longest time is forgotten"
