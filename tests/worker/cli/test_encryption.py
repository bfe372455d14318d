"""``parley rotate-keys``, ``parley which``, and what check, explain and dead show say of keys and hashes."""

from __future__ import annotations

import base64
import json

import pytest

from config.settings import Privacy
from worker.domain.conversation import Conversation
from worker.domain.handles import Handles

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
HANDLE_KEY = "a key of sixteen"
HASH = Handles(Privacy(handles="hashed", handle_key=HANDLE_KEY)).hash_of("@lead")


@pytest.fixture
def use_keys(monkeypatch):
    """The keys of the next command."""
    return lambda *keys: monkeypatch.setenv("PARLEY_ENCRYPTION__KEYS", json.dumps(keys))


@pytest.fixture
def lead():
    """The conversation of the messages."""
    return Conversation("ava", "@lead")


@pytest.fixture
def hashed(monkeypatch):
    """Leads are shown by their hash."""
    monkeypatch.setenv("PARLEY_PRIVACY__HANDLES", "hashed")
    monkeypatch.setenv("PARLEY_PRIVACY__HANDLE_KEY", HANDLE_KEY)


def check_of(ended) -> dict[str, str]:
    return next(finding for finding in json.loads(ended.out) if finding["check"] == "encryption")


def test_rotate_keys_says_what_it_did_and_then_that_nothing_is_left(parley, use_keys, store, chat):
    store.inbox.accept(chat("a"))
    use_keys(NEW)
    first, again = parley("rotate-keys"), parley("rotate-keys", "--json")
    assert first.status == again.status == 0
    assert "2 texts, 2 changed" in first.out
    assert "2 were not encrypted" in first.out
    told = json.loads(again.out)
    assert (told["changed"], told["by_key"]) == (0, {told["writes_with"]: 2})


def test_rotate_keys_says_no_when_a_key_is_missing_and_shows_no_content(parley, use_keys, make_store, chat):
    make_store(encryption={"keys": [OLD]}).inbox.accept(chat("a"))
    use_keys(NEW)
    ended = parley("rotate-keys")
    assert ended.status == 1
    assert "2 stored texts stay as they are" in ended.err
    assert "is not in PARLEY_ENCRYPTION__KEYS" in ended.out
    assert "secret" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("keys", "level", "says"),
    [
        ((), "failure", "2 of 2 stored texts looked at cannot be read"),
        ((NEW,), "failure", "is not in PARLEY_ENCRYPTION__KEYS"),
        ((NEW, OLD), "warning", "2 of 2 stored texts looked at are not yet so"),
        ((OLD,), "ok", "content is encrypted with key"),
    ],
)
def test_check_says_whether_the_keys_are_there_and_usable(parley, use_keys, make_store, chat, keys, level, says):
    make_store(encryption={"keys": [OLD]}).inbox.accept(chat("a"))
    use_keys(*keys)
    finding = check_of(parley("check", "--json"))
    assert (finding["level"], says in finding["means"]) == (level, True)


def test_check_of_an_empty_store_without_keys_finds_nothing_wrong(parley):
    finding = check_of(parley("check", "--json"))
    assert (finding["level"], finding["means"]) == ("ok", "off: content is stored as it is")


def test_a_letter_is_shown_but_for_content_that_cannot_be_decrypted(parley, use_keys, make_store, chat, lead):
    owner = make_store(encryption={"keys": [OLD]})
    owner.inbox.accept(chat("a"))
    owner.steps.settle(owner.steps.begin(lead, "t"), "dead", "refused")
    use_keys(NEW)
    assert parley("dead", "show", "a", "ava", "@lead").status == 0
    refused = parley("dead", "show", "a", "ava", "@lead", "--show-content")
    assert refused.status == 1
    assert "is not in PARLEY_ENCRYPTION__KEYS" in refused.err
    assert "content shown" not in [moment.word for moment in owner.timeline.of(lead)]


def test_a_refused_event_whose_key_is_missing_is_not_replayed(parley, use_keys, make_store, lead):
    owner = make_store(encryption={"keys": [OLD]})
    owner.inbox.refuse("ava", "@lead", "r", "{}", "InvalidEvent")
    use_keys(NEW)
    ended = parley("dead", "replay", "r", "ava", "@lead")
    assert ended.status == 1
    assert "is not in PARLEY_ENCRYPTION__KEYS" in ended.err
    assert owner.dead_letters.open(lead, "r") is not None


def test_explain_says_the_hash_and_which_finds_the_lead(parley, hashed, store, chat):
    store.inbox.accept(chat("a"))
    store.inbox.accept(chat("b", target="@other"))
    assert f"In Flower and logs this lead is {HASH}." in parley("explain", "ava", "@lead").out
    assert json.loads(parley("explain", "ava", "@lead", "--json").out)["shown_as"] == f"ava:{HASH}"
    for shown in (HASH, HASH[1:], f"ava:{HASH}"):
        assert json.loads(parley("which", shown, "--json").out) == [{"persona": "ava", "target": "@lead"}]


def test_which_says_no_for_a_hash_of_nobody(parley, hashed, store, chat):
    store.inbox.accept(chat("a"))
    assert parley("which", f"bea:{HASH}").status == 1
    ended = parley("which", "00000000")
    assert ended.status == 1
    assert "None of 1 conversations" in ended.err


def test_which_tries_no_more_than_it_was_told(parley, hashed, store, chat):
    for number in range(20):
        store.inbox.accept(chat(f"e{number}", target=f"@{number}"))
    ended = parley("which", "00000000", "--limit", "5")
    assert "None of 5 conversations" in ended.err
    assert "raise --limit" in ended.err


def test_without_hashes_there_is_nothing_to_look_for(parley, store, chat):
    store.inbox.accept(chat("a"))
    assert parley("which", "00000000").status == 2
    assert "In Flower" not in parley("explain", "ava", "@lead").out
    assert json.loads(parley("explain", "ava", "@lead", "--json").out)["shown_as"] == "ava:@lead"
