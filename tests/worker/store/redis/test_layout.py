"""The number of shards is kept beside what is stored, and settings with another one do nothing."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import OutOfMemoryError

from config.settings import SettingsError
from worker.bootstrap import build
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.processes.start_up import StartUpCheck, examine, examine_layout
from worker.store.redis.layout import KEY, Layout, WrongLayout


@pytest.fixture
def eight(make_store, store):
    """A store whose settings say 8 shards, on a server that is empty or was used with 16."""
    return make_store(agenda={"shards": 8})


def fill(store, chat, count):
    """Events of leads in as many conversations, answered and forgotten by every index."""
    for number in range(count):
        conversation = Conversation("ava", f"@{number}")
        store.inbox.accept(chat(target=conversation.target))
        store.steps.settle(store.steps.begin(conversation, f"t{number}"), "answered")


def as_of_0_1_0(store):
    store.redis.delete(KEY)


def test_the_first_one_writes_it_down(store):
    store.layout.ensure()
    assert store.redis.hgetall(KEY) == {"shards": "16"}
    assert store.redis.ttl(KEY) == -1


def test_another_number_is_refused_and_both_numbers_are_named(store, eight):
    store.layout.ensure()
    with pytest.raises(WrongLayout) as refused:
        eight.layout.ensure()
    for words in ("made with 16 shards", "PARLEY_AGENDA__SHARDS is 8", "set PARLEY_AGENDA__SHARDS to 16"):
        assert words in str(refused.value)
    assert store.redis.hget(KEY, "shards") == "16"


def test_it_is_asked_once(store, monkeypatch):
    store.layout.ensure()
    monkeypatch.setattr(store.layout, "look", lambda: pytest.fail("asked again"))
    store.layout.ensure()


def test_one_that_could_not_be_asked_is_asked_again(make_settings, make_store, monkeypatch):
    store = make_store()

    def unreachable(*_):
        raise Unreachable

    with monkeypatch.context() as patch:
        patch.setattr(store.redis, "hget", unreachable)
        with pytest.raises(Unreachable):
            store.layout.ensure()
    store.layout.ensure()
    assert store.redis.hget(KEY, "shards") == "16"


@pytest.mark.parametrize(("count", "settled"), [(1, False), (30, False), (60, True)])
def test_a_store_of_0_1_0_tells_by_what_it_holds(store, eight, chat, count, settled):
    if settled:
        fill(store, chat, count)
    else:
        for number in range(count):
            store.inbox.accept(chat(target=f"@{number}"))
    as_of_0_1_0(store)
    sure = count > 1 or store.keys.of(Conversation("ava", "@0")) != eight.keys.of(Conversation("ava", "@0"))
    if sure:
        found = eight.layout.look()
        assert (found.agrees, found.made_with) == (False, 16 if count > 1 else found.made_with)
        assert not store.redis.exists(KEY)
    store.layout.ensure()
    assert store.redis.hget(KEY, "shards") == "16"


def test_more_shards_than_before_are_found_out_too(make_store, chat):
    eight, sixteen = make_store(agenda={"shards": 8}), make_store()
    fill(eight, chat, 60)
    as_of_0_1_0(eight)
    with pytest.raises(WrongLayout, match="made with 8 shards"):
        sixteen.layout.ensure()


@pytest.mark.parametrize("index", ["agenda", "follow_ups", "dead", "sealed", "taken_over"])
def test_every_index_tells(store, eight, index):
    names = [f"ava:@{number}" for number in range(40)]
    for name in names:
        shard = store.keys.of(Conversation.of_name(name))
        if index in ("sealed", "taken_over"):
            store.redis.hset(getattr(shard, index), name, 1)
        else:
            store.redis.zadd(getattr(shard, index), {f"e {name}" if index == "dead" else name: 1})
    assert eight.layout.look() == Layout(16, 8)


def test_counters_alone_tell_of_more_shards_than_are_set(store, eight):
    store.redis.hset(store.keys.shards[12].books, "ava:accepted", 1)
    assert not eight.layout.look().agrees


def test_a_store_that_was_used_with_two_numbers_fits_none(store, eight, chat):
    for number in range(40):
        for each in (store, eight):
            each.inbox.accept(chat(target=f"@{number}"))
    for each in (store, eight):
        assert each.layout.look().made_with is None
        with pytest.raises(WrongLayout, match="another number of shards"):
            each.layout.ensure()


def test_a_full_store_that_agrees_may_be_worked_on(store, chat, monkeypatch):
    fill(store, chat, 5)

    def full(*_):
        raise OutOfMemoryError

    monkeypatch.setattr(store.redis, "hsetnx", full)
    store.layout.ensure()
    assert not store.redis.exists(KEY)


def test_a_producer_accepts_nothing(store, make_settings, chat, conversation):
    store.layout.ensure()
    with Producer(make_settings(agenda={"shards": 8})) as producer:
        for call in (
            lambda: producer.enqueue(chat()),
            lambda: producer.enqueue_many([chat()]),
            lambda: producer.cancel_follow_up(*conversation),
        ):
            with pytest.raises(SettingsError, match="made with 16 shards"):
                call()
    assert store.redis.keys("parley:*") == [KEY]


def test_a_worker_that_began_while_the_store_was_unreachable_begins_no_turn(store, make_settings, chat):
    store.layout.ensure()
    store.inbox.accept(chat(target="@lead"))
    parts = build(make_settings(agenda={"shards": 8}))
    try:
        assert parts.turns.run("ava", "@lead").startswith("refused: the store was made with another number of shards")
        jobs = (parts.upkeep.look, parts.upkeep.ring_due, parts.upkeep.plan_follow_ups, parts.upkeep.trim)
        for job in (*jobs, parts.intake.take_in, lambda: parts.intake.accept({"kind": "inbound_chat"}, "id")):
            with pytest.raises(WrongLayout):
                job()
    finally:
        parts.close()
    assert store.inbox.waiting(Conversation("ava", "@lead")) == 1


@pytest.mark.parametrize("examined", [examine, examine_layout])
@pytest.mark.parametrize("durable", [True, False])
def test_a_process_that_starts_is_refused_whatever_else_it_allows(store, make_settings, examined, durable):
    store.layout.ensure()
    reasons = []
    settings = make_settings(agenda={"shards": 8}, worker={"require_durable_store": durable})
    check = StartUpCheck(settings, reasons.append, only=examined)
    check.begin()
    assert len(reasons) == 1
    assert "made with 16 shards" in reasons[0]
    assert not check.passed()


def test_a_check_says_that_the_number_is_right(store, make_settings):
    found, _ = examine(make_settings(), store)
    assert [(finding.level, finding.means) for finding in found if finding.check == "shards"] == [
        ("ok", "16, as the store was made with")
    ]


def test_what_agrees_has_no_fault(store):
    store.layout.ensure()
    assert store.layout.look().fault == ""


def test_a_store_of_very_many_keys_is_looked_through_up_to_a_bound(store):
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(20_000):
            pipeline.set(f"other:{number}", "")
        pipeline.execute()
    assert store.layout.look().agrees
    store.layout.ensure()


def test_a_store_that_is_away_while_it_is_looked_through_is_no_answer(store, monkeypatch):
    real = store.redis.pipeline

    def away(**options):
        pipeline = real(**options)
        pipeline.execute = lambda **_: [Unreachable("away")]
        return pipeline

    monkeypatch.setattr(store.redis, "pipeline", away)
    with pytest.raises(Unreachable):
        store.layout.look()
