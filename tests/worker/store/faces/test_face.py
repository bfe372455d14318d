"""The face of a script: one signature makes what a call sends and the names that the script has for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from worker.domain.conversation import Conversation
from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, Key, Keys, Shard
from worker.store.redis.scripts import Script


@face("inbox agenda")
def moved(keys: ConversationKeys, *, journal: Key, name: str, at_ms: int, share: float, fence: Text, done: bool) -> Any:
    """Some of everything."""


@face("agenda")
def renewed(keys: Shard, *, conversations: Sequence[Key], lease_ms: int, tokens: Sequence[str]) -> Any:
    """As many as there are."""


@face()
def looked(*, looked_at: Sequence[Key]) -> Any:
    """Nothing but keys."""


@face()
def alone(*, holder: Key, field: str) -> Any:
    """One of each."""


@pytest.fixture
def keys():
    """Of a store with one shard."""
    return Keys(1)


def sent(of, *args, **values):
    """What a call sends."""
    return of.then(list)(*args, **values)


def test_a_call_sends_the_number_of_keys_then_keys_then_arguments_in_the_order_of_the_signature(keys):
    lead = keys.conversation(Conversation("ava", "@lead"))
    words = sent(moved, lead, done=True, share=0.5, fence=7, at_ms=3, name="ava:@lead", journal=lead.journal("e1"))
    assert words == [
        3,
        "parley:{00}:inbox:ava:@lead",
        "parley:{00}:agenda",
        "parley:{00}:journal:e1 ava:@lead",
        "ava:@lead",
        3,
        0.5,
        7,
        1,
    ]


def test_empty_texts_at_the_end_are_not_sent_and_the_script_finds_them_empty(store):
    @face()
    def kept(*, holder: Key, at_ms: int, word: str, fence: Text, done: bool, why: str) -> Any:
        """What is seldom given stands last."""

    def answer(**values):
        say = "{holder, at_ms, word, fence, tostring(done), why}"
        return Script(store.redis, lambda: f"{kept.preamble}return {say}", kept).run(holder="h", at_ms=3, **values)

    nothing: dict[str, Any] = {"word": "", "fence": "", "done": False, "why": ""}
    assert sent(kept, holder="h", at_ms=3, **nothing) == [1, "h", 3]
    assert answer(**nothing) == ["h", 3, "", "", "false", ""]
    for name, given, found in (("word", "a", "a"), ("fence", 0, "0"), ("done", True, "true"), ("why", "b", "b")):
        place = ("word", "fence", "done", "why").index(name)
        expected = ["", "", "false", ""]
        expected[place] = found
        assert answer(**{**nothing, name: given}) == ["h", 3, *expected]
        assert len(sent(kept, holder="h", at_ms=3, **{**nothing, name: given})) == 4 + place


def test_of_each_kind_the_last_may_be_as_many_as_there_are(keys):
    words = sent(renewed, keys.shards[0], conversations=["a", "b"], lease_ms=6000, tokens=["x", "y", "z"])
    assert words == [3, "parley:{00}:agenda", "a", "b", 6000, "x", "y", "z"]
    assert sent(looked, looked_at=["a"]) == [1, "a"]


def test_the_script_has_a_name_for_each_and_numbers_are_numbers(store, keys):
    def answer(of, say, *args, **values):
        return Script(store.redis, lambda: f"{of.preamble}return {say}", of).run(*args, **values)

    lead = keys.conversation(Conversation("ava", "@lead"))
    values = {"journal": "parley:{00}:j", "name": "5", "at_ms": 3, "share": 0.5, "fence": 7}
    say = "{inbox, agenda, journal, type(name), type(at_ms), share * 4, type(fence), done and 'done' or 'open'}"
    expected = [lead.inbox, keys.shards[0].agenda, "parley:{00}:j", "string", "number", 2, "string"]
    assert answer(moved, say, lead, **values, done=True) == [*expected, "done"]
    assert answer(moved, say, lead, **values, done=False) == [*expected, "open"]
    assert answer(alone, "holder .. field", holder="parley:{00}:h", field="f") == "parley:{00}:hf"
    many = [f"parley:{{00}}:{number}" for number in range(9000)]
    tails = {"conversations": many, "lease_ms": 1, "tokens": ["x", *many]}
    found = "{#conversations, conversations[9000], lease_ms, tokens[1], #tokens}"
    assert answer(renewed, found, keys.shards[0], **tails) == [9000, many[-1], 1, "x", 9001]
    assert answer(looked, "looked_at[2]", looked_at=many[:2]) == many[1]


def test_what_the_signature_does_not_name_cannot_be_given(keys):
    with pytest.raises(TypeError, match="more"):
        sent(alone, holder="h", field="f", more="m")
    with pytest.raises(TypeError, match="field"):
        sent(alone, holder="h")


def test_a_key_that_its_owner_does_not_have_is_found_when_the_face_is_made():
    def signature(keys: Shard) -> Any:
        """Of a shard."""

    with pytest.raises(TypeError, match="Shard has no key inbox"):
        face("inbox")(signature)


def test_an_argument_before_a_key_and_one_name_for_two_things_are_refused():
    def late(*, name: str, journal: Key) -> Any:
        """The key comes late."""

    def twice(keys: Shard, *, agenda: str) -> Any:
        """An argument that is called like a key."""

    with pytest.raises(TypeError, match="keys first"):
        face()(late)
    with pytest.raises(TypeError, match="one name to two things"):
        face("agenda")(twice)
