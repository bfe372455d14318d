"""Jobs that come at the same time are done together."""

from __future__ import annotations

import asyncio
import threading

import pytest

from worker.web.gathering import Gathered


class Work:
    """Doubles numbers; notes what it was given at once, and waits until it may go on."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.may_go_on = threading.Event()

    def __call__(self, jobs):
        self.given.append(list(jobs))
        assert self.may_go_on.wait(20)
        if 13 in jobs:
            raise OSError("13")
        return [job * 2 for job in jobs]


@pytest.fixture
def work():
    return Work()


def run(work, *numbers, most=3, cancelled=()):
    """What each number's caller gets."""

    async def all_of_them():
        gathered = Gathered(work, most)
        tasks = [asyncio.ensure_future(gathered.do(number)) for number in numbers]
        while not work.given:
            await asyncio.sleep(0.001)
        for position in cancelled:
            tasks[position].cancel()
        work.may_go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_each_caller_gets_its_own_result_and_order_is_kept(work):
    assert run(work, 1, 2, 3, 4, 5) == [2, 4, 6, 8, 10]
    assert [number for jobs in work.given for number in jobs] == [1, 2, 3, 4, 5]
    assert max(map(len, work.given)) == 3


def test_what_fails_fails_for_those_that_were_done_together_and_no_others(work):
    results = run(work, 1, 13, 2, 3, most=3)
    assert [type(result) for result in results] == [OSError, OSError, OSError, int]


def test_who_has_hung_up_changes_nothing_for_the_others(work):
    results = run(work, 1, 2, 3, cancelled=[1])
    assert (results[0], results[2]) == (2, 6)
    assert isinstance(results[1], asyncio.CancelledError)
