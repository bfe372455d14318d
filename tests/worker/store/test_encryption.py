"""Content at rest: encrypted with the first key, readable with each, bound to its place, and never in the way."""

from __future__ import annotations

import base64

import pytest

from config.settings import Encryption, SettingsError
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.domain.vocabulary import Cause
from worker.store import encryption
from worker.store.encryption import Content, Undecryptable, key_of

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
LEAD = Conversation("ava", "@lead")
TEXT = '{"message": "my secret wörds \N{FIRE}"}'
PLANTED = "PLANTED"


def using(*keys: str) -> Content:
    return Content(Encryption(keys=keys))


def encrypted(*keys: str) -> dict[str, object]:
    """Settings as an override."""
    return {"encryption": {"keys": keys}}


def everything_in(redis) -> str:
    """All keys and values, as one text."""
    found = []
    for key in redis.scan_iter():
        kind = redis.type(key)
        values = {
            "hash": redis.hgetall,
            "list": lambda name: redis.lrange(name, 0, -1),
            "zset": lambda name: redis.zrange(name, 0, -1),
            "set": redis.smembers,
            "string": redis.get,
        }[kind](key)
        found.append(f"{key} {values}")
    return "\n".join(found)


def test_what_was_encrypted_is_decrypted_and_shows_nothing():
    stored = using(NEW).encrypt("payload", LEAD, TEXT)
    assert "secret" not in stored
    assert using(NEW).decrypt("payload", LEAD, stored) == TEXT


def test_without_keys_texts_stay_as_they_are():
    assert using().encrypt("payload", LEAD, TEXT) == TEXT
    assert using().decrypt("payload", LEAD, TEXT) == TEXT
    assert using().writes_with == ""


def test_nothing_stays_nothing():
    assert using(NEW).encrypt("detail", LEAD, "") == ""


def test_the_same_text_of_the_same_place_is_stored_alike_so_that_scripts_can_compare():
    stored = {using(NEW).encrypt("payload", LEAD, TEXT) for _ in range(3)}
    elsewhere = {
        using(NEW).encrypt("payload", Conversation("ava", "@other"), TEXT),
        using(NEW).encrypt("reply", LEAD, TEXT),
    }
    assert len(stored) == 1
    assert len(stored | elsewhere) == 3


@pytest.mark.parametrize(
    ("field", "conversation"),
    [("reply", LEAD), ("payload", Conversation("ava", "@other")), ("payload", Conversation("bea", "@lead"))],
)
def test_a_text_that_was_moved_to_another_place_cannot_be_read(field, conversation):
    stored = using(NEW).encrypt("payload", LEAD, TEXT)
    with pytest.raises(Undecryptable, match="is not what was encrypted"):
        using(NEW).decrypt(field, conversation, stored)


@pytest.mark.parametrize("damage", [lambda text: text[:-8], lambda text: text + "!", lambda text: text[:20]])
def test_a_damaged_text_cannot_be_read(damage):
    stored = using(NEW).encrypt("payload", LEAD, TEXT)
    with pytest.raises(Undecryptable, match="is not what was encrypted"):
        using(NEW).decrypt("payload", LEAD, damage(stored))


def test_the_first_key_encrypts_and_all_decrypt():
    both = using(NEW, OLD)
    old = using(OLD).encrypt("reply", LEAD, TEXT)
    assert both.decrypt("reply", LEAD, old) == TEXT
    assert key_of(both.encrypt("reply", LEAD, TEXT)) == using(NEW).writes_with != key_of(old)


def test_plain_as_the_first_entry_reads_without_encrypting():
    switching = using("plain", OLD)
    assert switching.encrypt("reply", LEAD, TEXT) == TEXT
    assert switching.decrypt("reply", LEAD, using(OLD).encrypt("reply", LEAD, TEXT)) == TEXT


@pytest.mark.parametrize("keys", [(), (NEW,)])
def test_a_missing_key_is_named_without_saying_anything_of_content_or_keys(keys):
    stored = using(OLD).encrypt("payload", LEAD, TEXT)
    with pytest.raises(Undecryptable) as told:
        using(*keys).decrypt("payload", LEAD, stored)
    assert str(told.value) == (
        f"content cannot be decrypted: key {using(OLD).writes_with} is not in PARLEY_ENCRYPTION__KEYS"
    )


def test_keys_without_the_package_are_refused_with_what_to_install(monkeypatch):
    monkeypatch.setattr(encryption, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="install the extra encryption"):
        using(NEW)
    assert using().encrypt("reply", LEAD, TEXT) == TEXT


def test_nothing_planted_can_be_found_in_the_store_and_all_of_it_comes_back(make_store, chat, conversation, channel):
    store = make_store(**encrypted(NEW))
    planted = {**channel, "session_id": "PLANTED-session"}
    store.inbox.accept(chat(event_id="a", message="PLANTED-text", channel=planted))
    grant = store.steps.begin(conversation, "first")
    assert "PLANTED-text" in grant.head.payload
    assert "PLANTED-session" in grant.channel
    store.steps.keep_image(grant, "a", "https://images.test/PLANTED-image.png")
    assert store.steps.record(grant, '{"bubbles": ["PLANTED-reply"]}').reply == '{"bubbles": ["PLANTED-reply"]}'
    store.steps.hold(grant, 0, "a moment", unknown=False)
    again = store.steps.begin(conversation, "second")
    assert (again.head.image_url, again.head.reply) == (
        "https://images.test/PLANTED-image.png",
        '{"bubbles": ["PLANTED-reply"]}',
    )
    store.steps.settle(again, "dead", "refused", detail="PLANTED-detail")
    store.inbox.refuse("ava", "@lead", "r", '{"text": "PLANTED-refused"}', "InvalidEvent")
    asked_for = FollowUp(
        persona="ava", target="@lead", own_username="PLANTED-account", not_before="2030-01-01T00:00:00Z"
    )
    store.follow_ups.schedule(asked_for)
    assert PLANTED not in everything_in(store.redis)
    assert store.follow_ups.requested([store.follow_ups.state_of(conversation)]) == [
        asked_for.model_dump_json(exclude_none=True)
    ]
    letter = store.dead_letters.open(conversation, "a")
    assert (letter.reply, letter.detail) == ('{"bubbles": ["PLANTED-reply"]}', "PLANTED-detail")
    assert "PLANTED-session" in store.follow_ups.state_of(conversation).channel
    assert "PLANTED-refused" in store.dead_letters.open(conversation, "r").payload


def test_a_refused_payload_that_comes_twice_is_one_letter_also_when_encrypted(make_store):
    store = make_store(**encrypted(NEW))
    letters = [store.inbox.refuse("ava", "@lead", "r", payload, "why") for payload in ('{"a":1}', '{"a":1}', '{"a":2}')]
    assert [letter[:1] for letter in letters] == ["r", "", "r"]
    assert len(set(letters)) == 3


def test_plain_and_encrypted_events_of_one_conversation_are_asked_together(make_store, chat, conversation):
    make_store().inbox.accept(chat(event_id="a", message="before"))
    store = make_store(**encrypted(NEW))
    store.inbox.accept(chat(event_id="b", message="after"))
    grant = store.steps.begin(conversation, "t")
    assert ["before" in grant.entries[0].payload, "after" in grant.entries[1].payload] == [True, True]


def test_a_turn_without_the_key_is_granted_without_content(make_store, chat, conversation):
    make_store(**encrypted(OLD)).inbox.accept(chat(event_id="a", message="PLANTED"))
    grant = make_store(**encrypted(NEW)).steps.begin(conversation, "t")
    assert grant.undecryptable.cause is Cause.UNDECRYPTABLE
    assert PLANTED not in repr(grant)


def test_a_reply_that_another_process_stored_first_is_not_overwritten_by_one_without_its_key(
    make_store, chat, begin, conversation, let_lease_run_out
):
    late, holder = make_store(**encrypted(OLD)), make_store(**encrypted(NEW))
    make_store().inbox.accept(chat(event_id="a"))
    stale = begin(of=late)
    let_lease_run_out()
    grant = begin(of=holder)
    late.steps.record(stale, "from the late one")
    recorded = holder.steps.record(grant, "from the holder")
    assert (recorded.status, recorded.reply) == ("holder", "")
    assert recorded.undecryptable.cause is Cause.UNDECRYPTABLE


def test_a_letter_without_its_key_can_be_looked_at_but_for_its_content(make_store, chat, begin, conversation):
    owner = make_store(**encrypted(OLD))
    owner.inbox.accept(chat(event_id="a"))
    owner.steps.settle(begin(of=owner), "dead", "refused", detail="PLANTED")
    letter = make_store(**encrypted(NEW)).dead_letters.open(conversation, "a")
    assert (letter.letter.cause, letter.payload, letter.reply, letter.detail) == ("refused", "", None, "")
    assert "is not in PARLEY_ENCRYPTION__KEYS" in letter.undecryptable
