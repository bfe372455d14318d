"""The bucket of a source."""

from worker.web.rates import Bucket


def test_so_much_at_once_and_so_much_in_the_long_run():
    clock = [0.0]
    bucket = Bucket(2.0, 10, lambda: clock[0])
    assert bucket.take(10) == 0
    assert bucket.take(1) == 0.5
    clock[0] = 0.5
    assert bucket.take(1) == 0
    clock[0] = 100.0
    assert bucket.take(10) == 0
    assert bucket.take(4) == 2


def test_more_than_it_can_hold_is_taken_when_it_is_full_and_waited_for_afterwards():
    clock = [0.0]
    bucket = Bucket(1.0, 10, lambda: clock[0])
    assert bucket.take(15) == 0
    assert bucket.take(1) == 6
