"""What is refused is bounded: in size, in number, in what it can name, and in what it can do to a conversation."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay

LEAD = Conversation("ava", "@lead")
NOWHERE = Conversation("-", "-")
DAY = 86_400
REASON = "InvalidEvent: kind: missing"


@pytest.fixture
def store(make_store):
    """A store in one shard that keeps 3 letters of a conversation, 5 in all, of 1000 bytes each."""
    return make_store(
        agenda={"shards": 1},
        limits={"refused_bytes": 1000, "refused_per_conversation": 3, "refused_in_all": 5},
    )


def refuse(store, event_id, conversation=LEAD, payload="{}", **options):
    return store.inbox.refuse(*conversation, event_id, payload, REASON, **options)


def letters(store):
    return sorted(letter.event_id for letter in store.dead_letters.newest(1000))


def names_in(store):
    found = set(store.redis.scan_iter())
    for key in list(found):
        kind = store.redis.type(key)
        if kind == "hash":
            found |= set(store.redis.hkeys(key))
        elif kind == "zset":
            found |= set(store.redis.zrange(key, 0, -1))
    return found


def test_a_conversation_keeps_some_letters_and_the_rest_is_counted(store):
    kept = [refuse(store, f"m{number}", payload=f'"{number}"') for number in range(10)]
    assert kept == ["m0", "m1", "m2", *[None] * 7]
    assert letters(store) == ["m0", "m1", "m2"]
    assert (store.measures.only_counted(), store.measures.only_counted("bea")) == (7, 0)
    (account,) = store.books.accounts()
    assert (account.accepted, account.dead, account.unexplained) == (3, 3, 0)


def test_the_store_keeps_some_letters_of_all_conversations_together(store):
    kept = [refuse(store, "m", Conversation("ava", f"@{number}")) for number in range(10)]
    assert kept == ["m"] * 5 + [None] * 5
    assert store.measures.only_counted("ava") == 5
    assert len([key for key in store.redis.scan_iter() if "@9" in key]) == 0


def test_a_call_that_the_client_repeats_is_counted_once(store):
    for number in range(4):
        for _ in range(2):
            refuse(store, f"m{number}")
    assert store.measures.only_counted() == 1


def test_a_letter_that_is_kept_is_recognised_when_no_further_one_is(store):
    for number in range(5):
        refuse(store, f"m{number}", payload=f'"{number}"')
    assert refuse(store, "m0", payload='"0"') == ""


def test_a_letter_that_was_dealt_with_makes_room_for_one_of_another_conversation(store):
    for number in range(5):
        refuse(store, "m", Conversation("ava", f"@{number}"))
    assert refuse(store, "m", Conversation("ava", "@next")) is None
    store.dead_letters.replay(Conversation("ava", "@0"), "m", "discard")
    assert refuse(store, "m", Conversation("ava", "@next")) == "m"


@pytest.mark.parametrize("how", ["discarded", "sent again", "replayed", "forgotten", "expired"])
def test_a_letter_that_was_dealt_with_makes_room(store, chat, how):
    for number in range(4):
        refuse(store, f"m{number}")
    if how == "discarded":
        store.dead_letters.replay(LEAD, "m0", "discard")
    elif how == "sent again":
        store.inbox.accept(chat(event_id="m0"))
    elif how == "replayed":
        store.dead_letters.readmitted(LEAD, "m0", "m0#replay")
    elif how == "forgotten":
        store.forgetting.forget(LEAD, store.forgetting.traces(LEAD))
    else:
        shard = store.keys.of(LEAD)
        for key in (f"{shard.key('refused')}:{LEAD.name}", shard.key("refused")):
            store.redis.zadd(key, dict.fromkeys(store.redis.zrange(key, 0, 0), 1))
    assert refuse(store, "m9") == "m9"
    if how != "forgotten":
        assert refuse(store, "m8") is None


def test_a_letter_says_that_it_was_cut(store):
    text = "x" * 5000
    refuse(store, "long", payload=text)
    refuse(store, "short", payload="x" * 1000)
    opened = store.dead_letters.open(LEAD, "long")
    assert (opened.payload, opened.whole_bytes) == ("x" * 1000, 5000)
    assert store.dead_letters.open(LEAD, "short").whole_bytes == 0
    assert refuse(store, "long", payload=text) == "", "by the whole of it"
    assert refuse(store, "long", payload=text + "y").startswith("long-refused-")


def test_characters_of_several_bytes_are_cut_whole(store):
    refuse(store, "m", payload="\U0001f525" * 1000)
    assert store.dead_letters.open(LEAD, "m").payload == "\U0001f525" * 250


def test_what_our_own_fault_refuses_finds_room_where_a_stranger_finds_none(store):
    for number in range(20):
        refuse(store, f"m{number}", NOWHERE)
    assert len(letters(store)) == 5
    whole = "x" * 100_000
    for number in range(20):
        refuse(store, f"ours{number}", payload=whole, own_fault=True)
    assert len(letters(store)) == 10
    assert store.dead_letters.open(NOWHERE, "ours0").payload == whole
    assert refuse(store, "m", LEAD) == "m", "what names no conversation takes no room of those that do"


@pytest.mark.parametrize("persona", ["zoe", "john_doe@example.org", "a:b", "a b", "", "-", ":last"])
def test_no_name_of_a_stranger_is_left_in_the_store_by_a_persona(store, persona):
    target = "@target"
    for number in range(9):
        refuse(store, f"m{number}", Conversation(persona, target), payload=f'"{number}"')
    assert [account.persona for account in store.books.accounts()] == ["-"]
    assert store.measures.only_counted("-") == 6
    filed = Conversation("-", target)
    assert {letter.conversation for letter in store.dead_letters.newest()} == {filed}
    store.forgetting.forget(filed, store.forgetting.traces(filed))
    counters = {"-:accepted", "-:dead", "-", ":last"}
    assert names_in(store) - {"parley:{00}:clock"} == {"parley:{00}:books", "parley:{00}:only_counted", *counters}


def test_a_lead_is_forgotten_whose_letters_expired_before(store, accept):
    refuse(store, "m1")
    store.redis.delete(store.keys.of(LEAD).journal(LEAD, "m1"))
    accept("m2")
    store.forgetting.forget(LEAD, store.forgetting.traces(LEAD))
    assert [name for name in names_in(store) if "@lead" in name] == []


# What waits


def ttl(store, conversation=LEAD):
    return store.redis.ttl(store.keys.of(conversation).timeline(conversation))


def test_the_timeline_of_a_conversation_that_waits_does_not_expire(store, accept):
    accept("m1")
    assert refuse(store, "m2") == "m2"
    assert ttl(store) == -1


def test_neither_does_one_that_a_refusal_made_expire_before_this_release(store, accept):
    accept("m1")
    store.redis.expire(store.keys.of(LEAD).timeline(LEAD), 60)
    refuse(store, "m2")
    assert ttl(store) == -1


def test_no_refusal_makes_a_timeline_expire_that_did_not(store, accept, claim):
    accept("m1")
    claim()
    refuse(store, "m2")
    assert ttl(store) == -1


def test_a_refusal_does_not_end_a_quiet_timeline_earlier(store):
    refuse(store, "m1")
    assert ttl(store) > 29 * DAY
    store.redis.expire(store.keys.of(LEAD).timeline(LEAD), 40 * DAY)
    refuse(store, "m2", payload="2")
    assert ttl(store) > 39 * DAY


# Replay


@pytest.fixture
def replay(make_settings, store):
    """Replays over this store."""
    settings = make_settings(agenda={"shards": 1})
    return Replay(settings, store, Producer(settings, store=store))


def test_a_letter_that_was_cut_is_not_replayed(store, replay):
    refuse(store, "m1", payload='"' + "x" * 5000 + '"')
    outcome = replay.run(LEAD, "m1", "place")
    assert (outcome.done, outcome.status, outcome.detail) == (False, "cut", "5002")
    assert letters(store) == ["m1"]


def test_a_letter_that_is_readmitted_keeps_no_content(store, replay, chat, journal):
    event = chat("secret words", event_id="m1").model_dump_json()
    refuse(store, "m1", payload=event)
    assert replay.run(LEAD, "m1", "place").status == "readmitted"
    assert "secret" not in str(journal("m1"))
    assert "secret" in str(journal("m1#replay"))
    assert refuse(store, "m1", payload=event) == "", "it is still known"
    assert refuse(store, "m1", payload=event + " ").startswith("m1-refused-")


def test_so_does_one_that_an_older_release_has_written(store, replay, chat, journal):
    event = chat("secret words", event_id="m1").model_dump_json()
    refuse(store, "m1", payload=event)
    store.redis.hdel(store.keys.of(LEAD).journal(LEAD, "m1"), "digest")
    assert replay.run(LEAD, "m1", "place").status == "readmitted"
    assert "secret" not in str(journal("m1"))
    assert refuse(store, "m1", payload=event) == ""


def test_an_event_whose_persona_was_not_configured_is_replayed_once(store, replay, chat, inbox):
    """Its letter is not filed under its conversation; its sender may repeat it meanwhile."""
    event = chat("words", event_id="m1")
    refuse(store, "m1", Conversation("-", "@lead"), payload=event.model_dump_json())
    store.inbox.accept(event)
    assert replay.run(Conversation("-", "@lead"), "m1", "place").status == "readmitted"
    assert inbox() == ["m1"]
    assert letters(store) == []


# Keys


KEYS = ["A" * 43 + "=", "B" * 43 + "="]


def test_a_message_is_one_letter_while_keys_are_changed(make_store, store):
    one, other = (make_store(encryption={"keys": keys}) for keys in (KEYS, KEYS[::-1]))
    plain = make_store()
    before = refuse(plain, "m1")
    assert (before, refuse(one, "m1"), refuse(other, "m1")) == ("m1", "", "")
    assert (refuse(one, "m2"), refuse(other, "m2"), refuse(one, "m2")) == ("m2", "", "")
    refuse(one, "m2", payload="other")
    assert refuse(other, "m2", payload="other") == ""
