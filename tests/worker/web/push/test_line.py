"""What an endpoint gets next: in the order of each conversation, whatever fails, and nothing is left out."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.web.push.backoff import FIRST_SECONDS, GIVE_UP_SECONDS, LONGEST_SECONDS, pause_seconds
from worker.web.push.line import MOST_OF_A_SHARD, Item, Line, Trouble

HOUR_MS = 3_600_000


class Certain(Random):
    """No jitter."""

    def uniform(self, a, b):
        return a


def line(shards=1, trouble=None):
    return Line(["0-0"] * shards, trouble or Trouble(), Certain())


def items(*owners, place=0, first=1):
    return [Item(place, f"1000-{first + at}", owner, owner) for at, owner in enumerate(owners)]


def filled(*owners):
    made = line()
    made.add(0, items(*owners), f"1000-{len(owners)}")
    return made


def taken(made, now=0):
    """All that may be sent at once."""
    found = []
    while (item := made.next(now)) is not None:
        found.append(item)
    return found


def test_one_of_each_conversation_is_sent_at_a_time():
    made = filled("a", "b", "a", "c")
    assert [item.at for item in taken(made)] == ["1000-1", "1000-2", "1000-4"]


def test_the_next_of_a_conversation_follows_the_answer():
    made = filled("a", "a")
    first = made.next(0)
    assert made.next(0) is None
    made.done(first, 0)
    assert made.next(0).at == "1000-2"


def test_what_is_read_while_its_conversation_is_sent_to_waits():
    made = filled("a")
    first = made.next(0)
    made.add(0, items("a", first=2), "1000-2")
    assert made.next(0) is None
    made.done(first, 0)
    assert made.next(0).at == "1000-2"


def test_what_is_read_while_its_conversation_fails_waits():
    made = filled("a")
    made.failed(made.next(0), 0)
    made.add(0, items("a", first=2), "1000-2")
    assert made.next(4_999) is None
    assert made.next(5_000).at == "1000-1"


def test_a_notice_that_is_gone_says_nothing_about_the_receiver():
    made = filled(*"abcd")
    for item in taken(made):
        made.failed(item, 0)
    (probe,) = taken(made, 5_000)
    made.done(probe, 5_000, was_called=False)
    assert made.trouble.tries == 1


def test_a_loss_that_was_counted_is_not_counted_again_by_the_next_process():
    made = line()
    made.add(0, [Item(0, "2000-7", "a", "a")], "2000-7", has_lost=True)
    assert made.positions == ["2000-6"]


def test_the_position_passes_nothing_that_is_not_done():
    made = filled("a", "b", "c")
    first, second, third = taken(made)
    made.done(third, 0)
    made.done(second, 0)
    assert made.positions == ["0-0"]
    made.done(first, 0)
    assert made.positions == ["1000-3"]


def test_what_is_not_wanted_is_passed_over():
    made = line()
    made.add(0, [Item(0, "1000-5", "a", None), Item(0, "1000-6", "b", None)], "1000-6")
    assert made.next(0) is None
    assert made.positions == ["1000-6"]


def test_a_notice_that_fails_holds_up_only_its_conversation():
    made = filled("a", "b", "a")
    assert not made.failed(made.next(0), 0)
    other = made.next(0)
    assert other.owner == "b"
    made.done(other, 0)
    assert made.next(4_999) is None
    assert made.next(5_000).at == "1000-1"


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (9, 1280), (10, 2560), (11, 3600), (99, 3600)]
)
def test_pauses_double_up_to_an_hour(failures, seconds):
    assert pause_seconds(failures, None, Certain()) == seconds


@pytest.mark.parametrize(("asked", "seconds"), [(0, 5), (30, 30), (7200, 3600), (10**9, 3600)])
def test_retry_after_is_obeyed_within_bounds(asked, seconds):
    assert pause_seconds(1, asked, Certain()) == seconds


@given(st.integers(1, 500), st.none() | st.floats(0, 1e9), st.randoms())
def test_no_pause_is_shorter_or_much_longer(failures, asked, jitter):
    assert FIRST_SECONDS <= pause_seconds(failures, asked, jitter) <= LONGEST_SECONDS * 1.1


def test_retry_after_holds_for_the_whole_endpoint():
    made = filled("a", "b")
    made.failed(made.next(0), 0, retry_after=60)
    assert made.next(59_000) is None
    assert made.wait_ms(0, 10**9) == 60_000
    assert {item.owner for item in taken(made, 60_000)} == {"a", "b"}


def test_three_conversations_that_fail_are_an_endpoint_that_is_down():
    made = filled(*"abcdefgh")
    for item in taken(made)[:3]:
        made.failed(item, 0)
    assert made.trouble.tries == 1
    # The others were under way: what becomes of them says nothing new.
    assert made.running == 5


def test_an_endpoint_that_is_down_gets_one_call_at_a_time_after_growing_pauses():
    made = filled(*"abcdefgh")
    for item in taken(made):
        made.failed(item, 0)
    now, pauses = 0, []
    while len(pauses) < 12:
        wait = made.wait_ms(now, 10**9)
        pauses.append(wait // 1000)
        now += wait
        (only,) = taken(made, now)
        made.failed(only, now)
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_an_endpoint_that_is_back_gets_all_at_once():
    made = filled(*"abcdef")
    for item in taken(made):
        made.failed(item, 0)
    (probe,) = taken(made, 5_000)
    made.done(probe, 5_000)
    assert made.trouble.tries == 0
    assert len(taken(made, 5_000)) == 5


def test_one_notice_that_always_fails_does_not_bring_the_endpoint_down():
    made = line()
    made.add(0, items("bad"), "1000-1")
    now = 0
    for number in range(2, 40):
        now += 10_000
        bad = made.next(now)
        if bad is not None:
            made.failed(bad, now)
        made.add(0, items(f"good{number}", first=number), f"1000-{number}")
        good = made.next(now)
        assert good.owner.startswith("good")
        made.done(good, now)
    assert made.trouble.tries == 0
    assert made.positions == ["0-0"]


def test_it_is_given_up_after_three_days():
    made = filled("a")
    now, ends = 0, False
    while not ends:
        now += made.wait_ms(now, 10**9)
        ends = made.failed(made.next(now), now)
    assert GIVE_UP_SECONDS * 1000 <= now < GIVE_UP_SECONDS * 1000 + 2 * HOUR_MS


def test_the_next_process_knows_since_when_it_fails():
    made = filled(*"abcd")
    for item in taken(made):
        made.failed(item, 7_000)
    left = made.trouble
    assert (left.since, left.at, left.tries) == (7_000, (0, "1000-1"), 1)
    following = line(trouble=left)
    following.add(0, items(*"abcd"), "1000-4")
    assert following.next(11_999) is None
    (probe,) = taken(following, 12_000)
    assert not following.failed(probe, 12_000)
    assert following.trouble.since == 7_000
    assert following.trouble.tries == 2


def test_only_so_much_is_read_ahead():
    made = line(shards=2)
    made.add(0, items(*["a"] * MOST_OF_A_SHARD), f"1000-{MOST_OF_A_SHARD}")
    assert not made.has_room(0)
    assert made.has_room(1)


def test_the_oldest_that_is_not_done_is_known():
    made = line(shards=2)
    assert made.oldest == ""
    made.add(0, [Item(0, "2000-1", "a", "a")], "2000-1")
    made.add(1, [Item(1, "1500-1", "b", "b")], "1500-1")
    assert made.oldest == "1500-1"


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=60),
    st.lists(st.sampled_from(["sent", "failed", "later", "busy"]), max_size=200),
    st.integers(0, 3),
)
def test_whatever_happens_each_conversation_gets_all_in_order(wanted, endings, crash_after):
    """Also through a crash: the first time that each is sent is in order, and none is left out."""
    endings, now, sent = iter(endings), 0, []
    made, crashes = line(), crash_after
    every = [
        Item(0, f"1000-{at}", owner, owner if is_wanted else None) for at, (owner, is_wanted) in enumerate(wanted, 1)
    ]

    def fresh(after):
        kept = [item for item in every if int(item.at.partition("-")[2]) > int(after.partition("-")[2])]
        return [Item(0, item.at, item.owner, item.notice) for item in kept]

    made.add(0, fresh("0-0"), f"1000-{len(every)}")
    running = []
    for _ in range(10_000):
        running += taken(made, now)
        if not running:
            if made.oldest == "":
                break
            now += max(1, made.wait_ms(now, HOUR_MS))
            continue
        ending, item = next(endings, "sent"), running[0]
        if ending == "later" and len(running) > 1:
            running.append(running.pop(0))
            continue
        running.pop(0)
        if ending == "failed":
            made.failed(item, now)
        elif ending == "busy":
            made.failed(item, now, retry_after=30)
        else:
            sent.append(item)
            if crashes and ending == "later":
                crashes -= 1
                made = Line(list(made.positions), made.trouble, Certain())
                running = []
                made.add(0, fresh(made.positions[0]), f"1000-{len(every)}")
                continue
            made.done(item, now)
    assert made.positions == [f"1000-{len(every)}"]
    for owner in "abcdef":
        firsts = list(dict.fromkeys(item.at for item in sent if item.owner == owner))
        assert firsts == [item.at for item in every if item.owner == owner and item.notice is not None]
