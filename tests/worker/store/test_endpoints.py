"""Endpoints: one process sends at a time, and only what it stores with its right counts."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation
from worker.store.endpoints import LEASE_MS, START, Progress, Refusal
from worker.store.redis.ahead import advance


@pytest.fixture
def store(make_store):
    """Its clock can run ahead."""
    return make_store(ahead=True)


@pytest.fixture
def endpoints(store):
    """Those of the store."""
    return store.endpoints


def test_one_process_has_the_right_until_it_ends(store, endpoints):
    first = endpoints.take("crm", "one")
    assert endpoints.take("crm", "two") is None
    assert endpoints.take("crm", "one").fence == first.fence
    advance(store.redis, LEASE_MS / 1000 + 0.001)
    second = endpoints.take("crm", "two")
    assert int(second.fence) > int(first.fence)
    assert endpoints.take("crm", "one") is None


def test_each_endpoint_has_a_right_of_its_own(endpoints):
    assert endpoints.take("crm", "one")
    assert endpoints.take("bi", "two")


def test_a_right_that_is_given_back_is_free_at_once(endpoints):
    endpoints.give_back("crm", endpoints.take("crm", "one"))
    assert endpoints.take("crm", "two")


def test_a_clock_that_steps_back_keeps_nobody_out(store, endpoints):
    advance(store.redis, 7200)
    endpoints.take("crm", "one")
    advance(store.redis, -7200)
    assert endpoints.take("crm", "two")


def test_progress_is_kept(endpoints):
    held = endpoints.take("crm", "one")
    progress = Progress(sent=2, failed=1, positions={0: "7-1", 15: "9-4"}, fields={"last_failure": "status=500"})
    assert endpoints.keep("crm", held, progress, "first")
    state = endpoints.state("crm")
    assert (state.sent, state.failed, state.dropped, state.lost) == (2, 1, 0, 0)
    assert (state.positions[0], state.positions[1], state.positions[15]) == ("7-1", "", "9-4")
    assert state.last_failure == "status=500"
    assert endpoints.keep("crm", held, Progress(fields={"last_failure": ""}), "second")
    assert endpoints.state("crm").last_failure == ""


def test_a_write_that_is_repeated_counts_once(endpoints):
    held = endpoints.take("crm", "one")
    progress = Progress(sent=1, dropped=1, refusals=[Refusal(5, "00-5-1", "parley.event.dead", 400)])
    assert endpoints.keep("crm", held, progress, "same")
    assert endpoints.keep("crm", held, progress, "same")
    assert endpoints.state("crm").sent == 1
    assert endpoints.refusals("crm", 10) == [Refusal(5, "00-5-1", "parley.event.dead", 400)]


def test_what_a_process_without_the_right_writes_does_not_count(store, endpoints):
    first = endpoints.take("crm", "one")
    advance(store.redis, LEASE_MS / 1000 + 1)
    # Nobody else had it meanwhile: its results are still the last ones.
    assert endpoints.keep("crm", first, Progress(sent=1), "late")
    endpoints.take("crm", "two")
    assert not endpoints.keep("crm", first, Progress(sent=1), "too late")
    assert endpoints.state("crm").sent == 1


def test_an_operator_pauses_and_resumes(endpoints):
    assert endpoints.order("crm", "pause", reason="it moves", by="zoe")
    assert not endpoints.order("crm", "pause", reason="again", by="bob")
    state = endpoints.state("crm")
    assert (state.paused, state.paused_by) == ("it moves", "zoe")
    assert state.paused_at
    assert endpoints.take("crm", "one").is_paused
    assert endpoints.order("crm", "resume")
    assert not endpoints.order("crm", "resume")
    assert not endpoints.take("crm", "one").is_paused


def test_who_sends_while_an_operator_moves_it_stores_no_old_position(endpoints):
    held = endpoints.take("crm", "one")
    endpoints.keep("crm", held, Progress(positions={0: "9000-9", 1: "1000-1"}, fields={"tries": "3"}), "first")
    assert endpoints.order("crm", "replay", positions=["5000-5", "6000-6"])
    assert not endpoints.keep("crm", held, Progress(positions={0: "9000-10"}), "second")
    state = endpoints.state("crm")
    # Never forward: what was not sent yet stays to be sent.
    assert (state.positions[0], state.positions[1], state.tries) == ("5000-5", "1000-1", 0)
    again = endpoints.take("crm", "one")
    assert (again.fence, again.revision) != (held.fence, held.revision)
    assert endpoints.keep("crm", again, Progress(positions={0: "5000-6"}), "third")


@pytest.mark.parametrize("wanted", ["9000-9", "9000-10", "10000-1"])
def test_a_replay_of_what_was_not_sent_changes_nothing(endpoints, wanted):
    held = endpoints.take("crm", "one")
    endpoints.keep("crm", held, Progress(positions={0: "9000-9"}), "first")
    assert not endpoints.order("crm", "replay", positions=[wanted])
    assert endpoints.state("crm").positions[0] == "9000-9"


def test_only_the_last_refusals_are_listed(endpoints):
    held = endpoints.take("crm", "one")
    for part in range(3):
        refusals = [Refusal(at, f"00-{at}-1", "parley.event.dead", 400) for at in range(part * 500, part * 500 + 500)]
        endpoints.keep("crm", held, Progress(dropped=500, refusals=refusals), str(part))
    listed = endpoints.refusals("crm", 2000)
    assert (len(listed), listed[0].at, listed[-1].at) == (1000, 1499, 500)
    assert endpoints.state("crm").dropped == 1500


def test_names_are_known_until_they_are_removed(endpoints):
    endpoints.know("crm")
    endpoints.know("bi")
    endpoints.take("crm", "one")
    assert endpoints.names() == ["bi", "crm"]
    endpoints.remove("crm")
    assert endpoints.names() == ["bi"]
    assert endpoints.state("crm").holder_until == 0


def test_a_full_store_takes_what_the_sender_stores(store, endpoints):
    held = endpoints.take("crm", "one")
    store.redis.config_set("maxmemory", "100kb")
    try:
        assert endpoints.take("crm", "one")
        assert endpoints.keep("crm", held, Progress(sent=1, positions={0: "9-9"}), "full")
        assert endpoints.order("crm", "pause", reason="full", by="zoe")
    finally:
        store.redis.config_set("maxmemory", "0")
    assert endpoints.state("crm").sent == 1


@pytest.fixture
def noted(make_store):
    """Four notices of a lead; returns the number of their shard, and their ids."""
    store, lead = make_store(ahead=True, notices={"keep": True}), Conversation("ava", "@lead")
    for state in ("out", "in", "out", "in"):
        store.consents.write(lead, state, "zoe")
    place = store.keys.shards.index(store.keys.of(lead))
    return place, [each.id.partition("-")[2] for each in store.notices.read_shard(place).notices]


def test_a_new_endpoint_begins_before_the_oldest_notice_that_is_kept(store, endpoints, noted):
    place, ids = noted
    beginnings = endpoints.beginnings()
    assert beginnings[place - 1] == START
    assert [each.id.partition("-")[2] for each in store.notices.read_shard(place, beginnings[place]).notices] == ids


def test_where_all_are_gone_the_next_one_is_the_next_number(store, endpoints, noted):
    place, ids = noted
    store.redis.delete(store.keys.shards[place].notices)
    assert endpoints.beginnings()[place] == f"0-{ids[-1].partition('-')[2]}"


def test_a_notice_that_was_dropped_or_erased_is_not_kept(store, endpoints, noted):
    place, ids = noted
    assert endpoints.is_kept(place, ids[0])
    store.notices.erase(Conversation("ava", "@lead"))
    assert not endpoints.is_kept(place, ids[0])


def test_from_now_on_is_behind_all_that_is_noted(store, endpoints, noted):
    place, ids = noted
    assert endpoints.ends()[place] == ids[-1]
    assert endpoints.ends()[place - 1] == START
    store.redis.delete(store.keys.shards[place].notices)
    assert endpoints.ends()[place] == f"0-{ids[-1].partition('-')[2]}"


def test_a_skip_leaves_out_what_waits_moves_nothing_back_and_ends_a_pause(endpoints):
    held = endpoints.take("crm", "one")
    endpoints.keep("crm", held, Progress(positions={0: "5000-5", 1: "5000-5", 2: "5000-5"}), "first")
    endpoints.order("crm", "pause", reason="it moves")
    assert endpoints.order("crm", "skip", positions=["9000-9", "1000-1", "0-7", "9000-9"])
    state = endpoints.state("crm")
    assert state.positions[:4] == ("9000-9", "5000-5", "0-7", "9000-9")
    assert state.paused == ""
    assert not endpoints.keep("crm", held, Progress(positions={0: "5000-6"}), "second"), "what was read is of no use"
    assert not endpoints.order("crm", "skip", positions=["9000-9"])


def test_a_replay_in_a_shard_that_keeps_nothing_makes_nothing_lost(make_store, store, endpoints, noted):
    place, ids = noted
    held = endpoints.take("crm", "one")
    endpoints.keep("crm", held, Progress(positions={place: ids[-1]}), "first")
    store.redis.delete(store.keys.shards[place].notices)
    endpoints.order("crm", "replay", positions=endpoints.positions_since(0))
    keeping = make_store(ahead=True, notices={"keep": True})
    keeping.consents.write(Conversation("ava", "@lead"), "out", "zoe")
    page = store.notices.read_shard(place, endpoints.state("crm").positions[place])
    assert (len(page.notices), page.dropped, endpoints.state("crm").positions[place] == START) == (1, 0, False)
