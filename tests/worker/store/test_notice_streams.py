"""The streams of notices: within bounds, dropped and counted, read page by page, also when the clock steps or memory is
full."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.domain.notices import Notice
from worker.store import Store
from worker.store.notice_cursors import START, Place, written
from worker.store.notices import UnknownCursor
from worker.store.redis import ahead

MEGABYTE = 1024 * 1024


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """An empty store of few shards that keeps few notices."""
    return make_store(ahead=True, notices={"keep": True, "bytes": MEGABYTE, "days": 1}, agenda={"shards": 4})


@pytest.fixture
def end(channel: dict[str, Any]) -> Callable[..., str]:
    """Accept a message and give it its fate."""

    def run(store: Store, target: str = "@lead") -> str:
        lead = Conversation("ava", target)
        event = InboundChat(persona="ava", target=target, channel=channel, message="hi")
        store.inbox.accept(event)
        store.steps.settle(store.steps.begin(lead, uuid.uuid4().hex), "answered")
        return event.event_id

    return run


@pytest.fixture
def seal_often(store: Store, end: Callable[..., str]) -> Callable[[int], None]:
    """Many notices in a short time: so many of one conversation."""
    end(store)

    def run(times: int) -> None:
        lead = Conversation("ava", "@lead")
        for number in range(times):
            (store.seals.unseal if number % 2 else store.seals.seal)(lead, "eve")

    return run


def all_behind(store: Store, cursor: str = "", limit: int = 1000) -> tuple[list[Notice], str, int]:
    found: list[Notice] = []
    dropped = 0
    while True:
        page = store.notices.read(cursor, limit)
        assert len(page.notices) <= limit
        found, cursor, dropped = found + page.notices, page.cursor, dropped + page.dropped
        if not page.notices:
            return found, cursor, dropped


def test_nothing_is_written_while_they_are_off(make_store, end):
    store = make_store()
    end(store)
    assert not [key for key in store.redis.keys("*") if "notice" in key]
    assert (
        store.redis.hget(
            store.keys.of(Conversation("ava", "@lead")).conversation(Conversation("ava", "@lead")), "noticed"
        )
        is None
    )
    assert (store.notices.keep(), store.notices.kept(), store.notices.read().notices) == (0, False, [])


def test_a_process_that_is_not_told_follows_what_the_others_have_said_for_a_while(make_store, end):
    ours, other = make_store(ahead=True, notices={"keep": True}), make_store(ahead=True)
    end(other)
    assert not all_behind(ours)[0]
    ours.notices.keep()
    sent = end(other)
    assert other.notices.kept()
    assert [each.event_id for each in all_behind(ours)[0]] == [sent]
    ahead.advance(ours.redis, 3 * 86_400)
    end(other)
    assert not other.notices.kept()
    assert len(all_behind(ours)[0]) == 1


def test_the_oldest_are_dropped_for_want_of_room_and_counted_for_who_has_not_read_them(store, seal_often):
    before = store.notices.end()
    seal_often(7000)
    figures = store.notices.figures()
    assert 0.7 * MEGABYTE / 4 < figures.bytes <= MEGABYTE / 4 + 8192
    found, cursor, dropped = all_behind(store, before)
    assert len(found) + dropped == 7000
    assert dropped == figures.dropped - 1 > 0
    assert [each.sequence for each in found] == list(range(found[-1].sequence - len(found) + 1, found[-1].sequence + 1))
    assert all_behind(store, cursor)[2] == 0
    # Who begins anew has missed nothing.
    assert all_behind(store)[2] == 0


def test_a_reader_who_was_there_before_the_first_notice_is_told_what_is_gone(store, end, seal_often):
    store.redis.flushall()
    store.layout.ensure()
    page = store.notices.read()
    end(store)
    seal_often(5000)
    found, _, dropped = all_behind(store, page.cursor)
    assert dropped > 0
    assert len(found) + dropped == 5001


def test_the_oldest_are_dropped_for_their_age(store, end):
    cursor = store.notices.read().cursor
    end(store, "@a"), end(store, "@b")
    ahead.advance(store.redis, 86_500)
    last = end(store, "@c")
    assert store.notices.keep() == 2
    found, _, _ = all_behind(store, cursor)
    assert [each.event_id for each in found] == [last]
    assert store.notices.figures().dropped == 2


def test_pages_hold_each_notice_once_and_each_conversation_in_order(store, end):
    dice = random.Random(7)
    sent = [end(store, f"@lead{dice.randrange(20)}") for _ in range(150)]
    for limit in (1, 7, 64, 1000):
        found, _, dropped = all_behind(store, limit=limit)
        assert sorted(each.event_id for each in found) == sorted(sent)
        assert dropped == 0
        for target in {each.target for each in found}:
            numbers = [each.sequence for each in found if each.target == target]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_shard_is_read_by_itself(store, end):
    for number in range(40):
        end(store, f"@lead{number % 8}")
    found: list[Notice] = []
    for shard in range(store.notices.shards):
        after = ""
        while (page := store.notices.read_shard(shard, after, 3)).notices:
            found, after = found + page.notices, page.after
            assert page.dropped == 0
        assert after == store.notices.ends()[shard]
        assert store.notices.read_shard(shard, after) == type(page)([], after, 0)
    assert {each.id for each in found} == {each.id for each in all_behind(store)[0]}
    assert all(store.notices.find(each.id) == each for each in found)
    assert [store.notices.shard_of(each) for each in found] == sorted(store.notices.shard_of(each) for each in found)


def test_whether_anything_is_there(store, end):
    assert not store.notices.any_behind("")
    before = store.notices.end()
    end(store)
    assert store.notices.any_behind(before)
    assert not store.notices.any_behind(store.notices.end())


def test_a_clock_that_steps_back_loses_none_and_keeps_the_order(store, end):
    first = end(store)
    cursor = store.notices.end()
    ahead.advance(store.redis, -3600)
    sent = [end(store), end(store)]
    found, _, dropped = all_behind(store, cursor)
    assert ([each.event_id for each in found], dropped) == (sent, 0)
    whole, _, _ = all_behind(store)
    assert [each.event_id for each in whole] == [first, *sent]
    assert [each.sequence for each in whole] == list(range(whole[0].sequence, whole[0].sequence + 3))


def test_a_store_that_was_set_back_shows_a_reader_what_came_since(store, end):
    end(store)
    at, number = map(int, store.notices.read().notices[0].id.split("-")[1:])
    ahead_of_it = [START] * 4
    shard = store.notices.shard_of(store.notices.read().notices[0])
    ahead_of_it[shard] = Place(at, number + 5)
    sent = end(store)
    page = store.notices.read(written(ahead_of_it))
    assert ([each.event_id for each in page.notices], page.dropped) == ([sent], 0)


def test_a_full_store_gives_fates_and_tells_them(store, end, channel):
    lead = Conversation("ava", "@lead")
    store.inbox.accept(InboundChat(persona="ava", target="@lead", channel=channel, message="hi", event_id="e1"))
    grant = store.steps.begin(lead, "token")
    store.redis.config_set("maxmemory", "100kb")
    try:
        with pytest.raises(OutOfMemoryError):
            store.redis.set("more", "x")
        store.steps.settle(grant, "answered")
        store.notices.keep()
        assert [each.event_id for each in store.notices.read().notices] == ["e1"]
        assert store.notices.erase(lead) == 1
    finally:
        store.redis.config_set("maxmemory", "0")


def test_no_key_of_another_kind_keeps_a_fate_from_being_given(store, end):
    for shard in store.keys.shards:
        store.redis.set(shard.notices, "no stream")
    end(store)
    (account,) = [each for each in store.books.accounts() if each.persona == "ava"]
    assert (account.waiting, account.unexplained) == (0, 0)


@pytest.mark.parametrize("cursor", ["x", "MQ", "a" * 9000, "ä", written([START] * 3), written([START] * 4)[:-4]])
def test_what_is_no_cursor_is_refused(store, cursor):
    with pytest.raises(UnknownCursor):
        store.notices.read(cursor)


def test_what_is_no_place_is_refused(store):
    for place in ("x", "1-", "-1", "1-1-1", "9" * 18 + "-1", "\u0661-\u0661"):
        with pytest.raises(UnknownCursor):
            store.notices.read_shard(0, place)


def test_erased_notices_are_gone_for_readers_and_no_others(store, end):
    cursor = store.notices.read().cursor
    for _ in range(600):
        end(store, "@lead")
    kept = [end(store, "@lead2"), end(store, "x ava:@lead")]
    assert store.notices.erase(Conversation("ava", "@lead")) == 600
    assert store.notices.erase(Conversation("ava", "@lead")) == 0
    found, _, _ = all_behind(store, cursor)
    assert sorted(each.event_id for each in found) == sorted(kept)
