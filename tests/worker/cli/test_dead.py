"""``parley dead``: list, show, replay, replay-all."""

from __future__ import annotations

import json
import re
import time

import pytest

from worker.domain.conversation import Conversation

LEAD = Conversation("ava", "@lead")
ANSWER = json.dumps({"bubbles": ["hello"], "fate": "answered"})


@pytest.fixture
def inbox(store):
    def read(target="@lead"):
        conversation = Conversation("ava", target)
        return store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)

    return read


def test_the_list_is_without_content(parley, die):
    die("a")
    die("b", "gave up after 20 attempts", target="@other lead")
    ended = parley("dead", "list")
    lines = ended.out.splitlines()
    assert ended.status == 0
    assert lines[0].split() == ["died", "(UTC)", "event", "persona", "target", "kind", "cause"]
    assert [("@other lead" in line, "gave up" in line) for line in lines[2:]] == [(True, True), (False, False)]
    assert "secret" not in ended.out
    (letter,) = json.loads(parley("dead", "list", "--cause", "422", "--json").out)
    assert (letter["event_id"], letter["persona"], letter["target"]) == ("a", "ava", "@lead")
    assert len(json.loads(parley("dead", "list", "--limit", "1", "--json").out)) == 1
    assert parley("dead", "list", "--persona", "bea").out == "No dead letters match.\n"


def test_a_wide_table_is_not_cut_on_a_pipe(parley, die):
    cause = "x" * 400
    die("a", cause)
    assert cause in parley("dead", "list").out


def test_nothing_that_a_terminal_obeys_is_printed(parley, store):
    store.inbox.refuse("ava", "@\x1b[2Jlead\x07", "m1", "{}", "InvalidEvent: target")
    out = parley("dead", "list").out
    assert "\x1b" not in out
    assert r"@\x1b[2Jlead\x07" in out


@pytest.mark.parametrize("target", ["@\x9b2J", "@\x85\u2028", "@\u202e", "@\x7f"])
def test_neither_is_it_as_json_nor_on_standard_error(parley, store, target):
    store.inbox.refuse("ava", target, "m1", json.dumps({"message": target}), "InvalidEvent: target")
    listed = parley("dead", "list", "--json")
    assert json.loads(listed.out)[0]["target"] == target
    shown = parley("dead", "show", "m1", "ava", target, "--show-content", "--json")
    assert json.loads(shown.out)["payload"] == {"message": target}
    plain = parley("dead", "show", "m1", "ava", target, "--show-content")
    missing = parley("dead", "show", target, "ava", target)
    assert (missing.status, plain.status) == (1, 0)
    for printed in (listed, shown, plain, missing):
        assert all(line.isprintable() for line in (printed.out + printed.err).split("\n"))


def test_what_was_only_counted_is_said_below_the_list(parley, store):
    for number in range(23):
        store.inbox.refuse("ava", "@lead", f"m{number}", "{}", "InvalidEvent: kind: missing")
    assert parley("dead", "list").out.splitlines()[-1].startswith("3 refused events were only counted so far")
    assert "only counted" not in parley("dead", "list", "--persona", "bea").out
    assert len(json.loads(parley("dead", "list", "--json").out)) == 20
    assert "20; 3 refused events were only counted" in parley("status").out
    assert json.loads(parley("status", "--json").out)["refused_only_counted"] == 3


def test_a_letter_that_was_cut_says_so_and_is_not_replayed(parley, store):
    store.inbox.refuse("ava", "@lead", "m1", "x" * 100_000, "TooLarge: message")
    assert json.loads(parley("dead", "show", "m1", "ava", "@lead", "--json").out)["cut_from_bytes"] == 100_000
    ended = parley("dead", "replay", "m1", "ava", "@lead")
    assert ended.status == 1
    assert ended.err.startswith("Of its 100000 bytes only the first are kept")


def test_parked_messages_need_a_person(parley, store):
    store.parked.keep("some message")
    told = json.loads(parley("status", "--json").out)
    assert told["parked"] == 1
    assert "1 message of the queue accept could not be stored" in [need["what"] for need in told["needs"]]


def test_a_store_that_refuses_a_command_is_not_said_to_be_silent(parley, store):
    store.redis.set(store.keys.shards[0].dead, "of the wrong type")
    ended = parley("dead", "list")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("The store refuses this (WRONGTYPE).")


def test_show_hides_the_content_unless_told(parley, store, die):
    die("a", reply=ANSWER, detail='{"detail": "quoted secret"}')
    ended = parley("dead", "show", "a", "ava", "@lead")
    assert ended.status == 0
    assert "secret" not in ended.out
    assert "hello" not in ended.out
    told = json.loads(parley("dead", "show", "a", "ava", "@lead", "--json").out)
    assert (told["cause"], told["has_reply"], told["asks"]) == ("refused by the persona (status 422)", True, 1)
    assert "payload" not in told


def test_showing_the_content_leaves_a_trace(parley, store, die):
    die("a", reply=ANSWER)
    ended = parley("dead", "show", "a", "ava", "@lead", "--show-content", "--json")
    told = json.loads(ended.out)
    assert (told["payload"]["message"], told["reply"]["bubbles"]) == ("my secret words", ["hello"])
    assert "content of a dead letter shown to" in ended.err
    assert "event_id=a" in ended.err
    assert "secret" not in ended.err
    last = store.timeline.of(LEAD)[-1]
    assert (last.word, last.details[0]) == ("content shown", "a")


@pytest.mark.parametrize("words", [("show",), ("replay",), ("discard",), ("discard", "--yes")])
def test_what_is_not_there_is_a_no(words, parley):
    ended = parley("dead", words[0], "zzz", "ava", "@lead", *words[1:])
    assert (ended.status, ended.out) == (1, "")
    assert ended.err


def test_replay(parley, inbox, die):
    die("a")
    ended = parley("dead", "replay", "a", "ava", "@lead")
    assert (ended.status, ended.out) == (0, "Replayed: it waits at position 1 of its conversation.\n")
    assert inbox() == ["a"]
    assert parley("dead", "replay", "a", "ava", "@lead").status == 1


def test_replay_asks_to_choose_when_something_later_was_answered(parley, store, chat, inbox, die, turn):
    die("a")
    store.inbox.accept(chat("b"))
    turn()
    ended = parley("dead", "replay", "a", "ava", "@lead")
    assert ended.status == 1
    for choice in ("--mode append", "--mode join", "parley dead discard"):
        assert choice in ended.err
    assert inbox() == []
    assert parley("dead", "replay", "a", "ava", "@lead", "--mode", "append").status == 0
    assert inbox() == ["a"]


def test_discard(parley, inbox, die):
    die("a")
    ended = parley("dead", "discard", "a", "ava", "@lead", answer="n\n")
    assert (ended.status, ended.err) == (1, "Nothing was changed.\n")
    assert "refused by the persona (status 422); it has no answer." in ended.out
    assert parley("dead", "discard", "a", "ava", "@lead", answer="y\n").status == 0
    assert inbox() == []
    assert parley("dead", "list").out == "No dead letters.\n"
    assert json.loads(parley("books", "--json").out)[0]["dead"] == 1
    assert "discarded a dead event" in parley("explain", "ava", "@lead").out.splitlines()[0]
    assert parley("dead", "replay", "a", "ava", "@lead").status == 0
    assert inbox() == ["a"]


def test_discard_says_when_an_answer_is_stored(parley, die):
    die("a", reply=ANSWER)
    ended = parley("dead", "discard", "a", "ava", "@lead", answer="n\n")
    assert "its answer is stored, the lead does not have it." in ended.out
    assert "hello" not in ended.out
    assert parley("dead", "discard", "a", "ava", "@lead", "--yes").status == 0


@pytest.fixture
def outage(die):
    """Seven dead letters: three of one cause in order, three of another lead, one of another cause."""
    for number in range(3):
        die(f"a{number}", "gave up: status 502")
        die(f"b{number}", "gave up: status 502", target="@other")
    die("c", "refused by the persona (status 422)", target="@third")


def test_replay_all_previews_and_asks(parley, outage, inbox):
    ended = parley("dead", "replay-all", "--cause", "gave up", answer="n\n")
    assert ended.status == 1
    assert "Nothing was replayed." in ended.err
    assert ended.out.splitlines()[2].split() == ["ava", "gave", "up:", "status", "502", "6"]
    assert (inbox(), inbox("@other")) == ([], [])


def test_replay_all_in_order(parley, outage, inbox):
    ended = parley("dead", "replay-all", "--cause", "gave up", "--per-second", "1000", answer="y\n")
    assert ended.status == 0
    assert ended.out.splitlines()[-1].endswith("6 of 6 replayed.")
    assert (inbox(), inbox("@other"), inbox("@third")) == (["a0", "a1", "a2"], ["b0", "b1", "b2"], [])


def test_replay_all_keeps_its_rate(parley, outage):
    started_at = time.monotonic()
    assert parley("dead", "replay-all", "--cause", "gave up", "--yes", "--per-second", "10").status == 0
    assert time.monotonic() - started_at >= 0.5


def test_replay_all_leaves_what_has_no_place_and_says_why(parley, store, chat, outage, turn, inbox):
    store.inbox.accept(chat("d"))
    turn()
    ended = parley("dead", "replay-all", "--cause", "gave up", "--yes", "--per-second", "1000")
    assert ended.status == 1
    assert "3 of 6 replayed." in ended.out
    assert "later answered: Something later of this conversation has been answered" in ended.out
    assert (inbox(), inbox("@other")) == ([], ["b0", "b1", "b2"])


def test_replay_all_without_a_match_or_a_cause(parley, outage):
    assert parley("dead", "replay-all", "--cause", "nothing like it", "--yes").status == 1
    assert parley("dead", "replay-all", "--yes").status == 2


def test_causes_are_grouped_with_the_status_the_first_and_the_last(parley, die):
    for number, status in enumerate((502, 502, 500)):
        die(f"e{number}", f"outcome_unknown status={status}", target=f"@lead{number}")
    lines = parley("dead", "causes").out.splitlines()
    for line, status, count in zip(lines[2:], (502, 500), (2, 1), strict=True):
        assert re.fullmatch(
            rf"ava +outcome unknown \(status {status}\): it may have been acted on +{count}( +20\S+ \S+){{2}}", line
        )
    first, second = json.loads(parley("dead", "causes", "--json").out)
    assert (first["count"], first["code"], first["persona"]) == (2, "outcome_unknown", "ava")
    assert first["first"] <= first["last"]
    assert second["count"] == 1
    assert parley("dead", "causes", "--persona", "bea").out == "No dead letters match.\n"
    told = json.loads(parley("status", "--json").out)["dead_letters_by_cause"]
    assert [row["count"] for row in told] == [2, 1]
