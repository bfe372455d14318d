"""The index of conversations: what is in it, in which order it is read, and what leaves it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from worker.domain.conversation import Conversation
from worker.store.views.known_conversations import Known, State


def targets(found):
    return [each.conversation.target for each in found]


@pytest.fixture
def index(store):
    """Put conversations of ava into the index, each with the time of its last event."""

    def run(**times):
        for target, at in times.items():
            conversation = Conversation("ava", target)
            store.redis.zadd(store.keys.of(conversation).conversations, {conversation.name: at})

    return run


def test_each_accepted_event_brings_its_conversation_to_the_front(store, chat, index):
    for target in ("@one", "@two"):
        store.inbox.accept(chat(target=target))
    index(**{"@one": 1, "@two": 2})
    assert targets(store.known.newest()) == ["@two", "@one"]
    before_ms = int(store.redis.time()[0]) * 1000
    store.inbox.accept(chat(target="@one"))
    first, second = store.known.newest()
    assert first.conversation.target == "@one"
    assert first.last_event >= before_ms
    assert second.last_event == 2


def test_a_duplicate_and_a_refused_event_change_nothing(store, chat, index):
    store.inbox.accept(chat(event_id="e1"))
    index(**{"@lead": 5})
    store.inbox.accept(chat(event_id="e1"))
    store.inbox.accept(chat(event_id="e2", channel=None, target="@other"))
    assert list(store.known.newest()) == [Known(Conversation("ava", "@lead"), 5)]


def test_all_shards_together_are_read_newest_first(store, index):
    index(**{f"@{number}": 1000 + number for number in range(60)})
    assert targets(store.known.newest()) == [f"@{number}" for number in reversed(range(60))]


def test_many_of_one_moment_are_all_read_once(make_store):
    store = make_store(agenda={"shards": 1})  # so that one read does not bring all of them
    names = {Conversation("ava", f"@{number:04d}").name: max(7, number - 1500) for number in range(2000)}
    store.redis.zadd(store.keys.shards[0].conversations, names)
    found = list(store.known.newest())
    assert len(found) == len(set(found)) == 2000
    assert all(one.place > two.place for one, two in pairwise(found))


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_join_without_a_gap_also_within_one_moment(store, index, limit):
    index(**{f"@{number:03d}": number // 10 for number in range(55)})
    after, found = None, []
    while True:
        page = store.known.page(limit=limit, after=after)
        found += [row.conversation for row in page.rows]
        after = page.next
        if after is None:
            break
        assert len(page.rows) == limit
    assert found == [each.conversation for each in store.known.newest()]
    assert len(found) == 55


def test_only_those_of_a_persona(store, index):
    index(**{"@a": 1})
    other = Conversation("bea", "@b")
    store.redis.zadd(store.keys.of(other).conversations, {other.name: 2})
    assert targets(store.known.newest("ava")) == ["@a"]
    assert [row.conversation for row in store.known.page(persona="bea").rows] == [other]


@pytest.mark.parametrize("text", ["john", "JOHN_D", "@john_doe", "doe"])
def test_a_part_of_a_handle_finds_it(store, index, text):
    index(**{"@john_doe": 1, "@Joan": 2})
    assert targets(store.known.find(text)) == ["@john_doe"]


def test_finding_stops_at_its_limit(store, index):
    index(**{f"@lead{number}": number for number in range(9)})
    assert targets(store.known.find("lead", limit=2)) == ["@lead8", "@lead7"]


class TestStates:
    """Rows say all states that hold, and each state finds those that are in it."""

    @pytest.fixture
    def row(self, store):
        def find(*states):
            (row,) = store.known.page(states).rows
            return row

        return find

    def test_waiting(self, accept, row):
        accept("e1", "e2")
        assert (row(State.WAITING).waiting, row().states) == (2, (State.WAITING,))

    def test_running(self, accept, row, begin):
        accept("e1")
        begin()
        assert row(State.RUNNING).states == (State.WAITING, State.RUNNING)

    def test_held(self, store, accept, begin, row):
        accept("e1")
        store.steps.hold(begin(), 60, "rate_limited", unknown=False)
        held = row(State.HELD)
        assert held.states == (State.WAITING, State.HELD)
        assert held.hold_until > store.known.page().now
        assert held.hold_reason

    def test_paused(self, store, accept, row):
        accept("e1")
        assert not store.known.page([State.PAUSED]).rows
        store.personas.pause("ava", "kim")
        assert row(State.PAUSED).states == (State.WAITING, State.PAUSED)

    def test_taken_over_and_quiet(self, store, accept, begin, claim, row):
        accept("e1")
        store.steps.settle(begin(), "answered")
        assert row().states == ()
        claim()
        assert row(State.TAKEN_OVER).states == (State.TAKEN_OVER,)
        assert not store.known.page([State.TAKEN_OVER, State.WAITING]).rows

    def test_sealed(self, store, accept, begin, conversation, row):
        accept("e1")
        store.steps.settle(begin(), "answered")
        store.seals.seal(conversation, "kim")
        assert row(State.SEALED).states == (State.SEALED,)

    def test_dead_once_for_all_its_letters(self, store, accept, begin, row):
        accept("e1")
        store.steps.settle(begin(), "dead", "refused")
        accept("e2")
        store.steps.settle(begin(), "dead", "refused")
        accept("e3")
        assert row(State.DEAD).states == (State.WAITING, State.DEAD)
        assert row(State.WAITING, State.DEAD).waiting == 1

    def test_what_an_older_release_accepted_is_behind_the_others(self, store, chat):
        for target in ("@old", "@new"):
            store.inbox.accept(chat(target=target))
        old = Conversation("ava", "@old")
        store.redis.zrem(store.keys.of(old).conversations, old.name)
        assert [(row.conversation.target, row.last_event > 0) for row in store.known.page([State.WAITING]).rows] == [
            ("@new", True),
            ("@old", False),
        ]
        assert targets(store.known.newest()) == ["@new"]

    def test_pages_of_a_state(self, store, chat):
        for number in range(25):
            store.inbox.accept(chat(target=f"@{number}"))
        first = store.known.page([State.WAITING], limit=20)
        second = store.known.page([State.WAITING], limit=20, after=first.next)
        assert len({row.conversation for row in (*first.rows, *second.rows)}) == 25
        assert second.next is None


def test_which_of_these_anything_is_stored(store, accept, conversation):
    accept("e1")
    assert store.known.are_known([Conversation("ava", "lead"), conversation]) == [conversation]


def test_forgetting_erases_it(store, accept, begin, conversation):
    accept("e1")
    store.steps.settle(begin(), "answered")
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    assert list(store.known.newest()) == []


def test_what_had_no_event_for_as_long_as_a_quiet_conversation_is_kept_leaves(store, make_settings, index):
    now_ms = int(store.redis.time()[0]) * 1000
    kept_ms = int(make_settings().retention.conversation_seconds * 1000)
    index(**{"@gone": now_ms - kept_ms - 60_000, "@kept": now_ms - kept_ms + 60_000})
    assert store.known.trim() == 1
    assert targets(store.known.newest()) == ["@kept"]


def test_reading_never_walks_over_the_keys_of_the_store(store, accept, monkeypatch):
    accept("e1")
    for name in ("scan", "scan_iter", "keys"):
        monkeypatch.setattr(type(store.redis), name, lambda *_, **__: pytest.fail("a walk over all keys"))
    for state in State:
        store.known.page([state])
    store.known.page()
    store.known.find("lead")
    store.known.trim()


def all_pages(store, limit, **wanted):
    rows, after = [], None
    while True:
        page = store.known.page(limit=limit, after=after, **wanted)
        rows += [(row.last_event, row.conversation.name) for row in page.rows]
        after = page.next
        if after is None:
            return rows


@pytest.mark.parametrize("shards", [1, 16])
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_all_pages_together_are_all_that_match_once_and_in_order(make_store, shards, limit):
    store = make_store(agenda={"shards": shards})
    # Many of one moment, and more than a shard looks at in one go.
    count = {1: 40, 7: 200, 500: 2500}[limit]
    known = [
        (10 + number // 9, Conversation("ava" if number % 3 else "bea", f"@Lead{number}")) for number in range(count)
    ]
    for at, each in known:
        shard = store.keys.of(each)
        store.redis.zadd(shard.conversations, {each.name: at})
        if at % 2:
            store.redis.zadd(shard.agenda, {each.name: 1})
            store.redis.rpush(shard.inbox(each), "e")
    names = sorted(((at, each.name) for at, each in known), reverse=True)
    assert all_pages(store, limit) == names
    assert all_pages(store, limit, persona="bea") == [pair for pair in names if pair[1].startswith("bea:")]
    assert all_pages(store, limit, states=[State.WAITING]) == [pair for pair in names if pair[0] % 2]
    wanted = [pair for pair in names if "lead1" in pair[1].lower() and pair[0] % 2]
    assert all_pages(store, limit, states=[State.WAITING], text="@LEAD1") == wanted
    assert all_pages(store, limit, text="bea:") == []


def test_who_opted_out_is_a_state(store, accept, chat):
    accept("e1")
    store.inbox.accept(chat("STOP", target="@other"))
    page = store.known.page([State.OPTED_OUT])
    assert [(row.conversation.target, row.states) for row in page.rows] == [
        ("@other", (State.WAITING, State.OPTED_OUT))
    ]
    store.consents.write(Conversation("ava", "@other"), "in", "kim")
    assert store.known.page([State.OPTED_OUT]).rows == ()


@pytest.mark.parametrize("text", ["müller", "MÜLLER", "Müller", "@mü"])
def test_letters_beyond_ascii_are_found_in_capitals_or_not(store, index, text):
    index(**{"@Müller": 1, "@other": 2})
    assert targets(store.known.find(text)) == ["@Müller"]


@pytest.mark.parametrize("wanted", [{}, {"states": [State.WAITING]}, {"states": [State.SEALED]}, {"text": "7"}])
def test_a_page_costs_two_looks_at_a_shard_however_many_conversations_there_are(store, wanted):
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(6400):
            each = Conversation("ava", f"@{number}")
            shard = store.keys.of(each)
            pipeline.zadd(shard.conversations, {each.name: number})
            if number % 4 == 0:
                pipeline.zadd(shard.agenda, {each.name: 1})
                pipeline.rpush(shard.inbox(each), "e")
                pipeline.hset(shard.sealed, each.name, 1)
                pipeline.hset(shard.conversation(each), "sealed", 1)
        pipeline.execute()

    def runs():
        stats = store.redis.info("commandstats")
        return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])

    store.known.page(**wanted)
    before = runs()
    assert len(store.known.page(**wanted).rows) == 50
    # The index of each shard, those that have more than their share again, and the rows.
    assert runs() - before <= 2.5 * len(store.keys.shards)


def test_a_search_goes_on_behind_as_many_names_as_are_looked_at_in_one_go(make_store):
    store = make_store(agenda={"shards": 1})
    conversations = store.keys.shards[0].conversations
    store.redis.zadd(conversations, {f"bea:@{number}": 10_000 + number for number in range(4500)})
    store.redis.zadd(conversations, {"ava:@old": 1, "ava:@older": 0})
    after, found = None, []
    while True:
        page = store.known.page(persona="ava", after=after)
        found += [row.conversation.target for row in page.rows]
        if (after := page.next) is None:
            break
    assert found == ["@old", "@older"]
