"""``parley read``, ``export`` and ``audit``: content only for who asks for it, and never without a trace."""

from __future__ import annotations

import json

import pytest

from worker.domain.conversation import Conversation
from worker.domain.reply import Reply

LEAD = Conversation("ava", "@lead")
WHO = ("ava", "@lead", "--by", "kim")


@pytest.fixture
def kept(monkeypatch, make_store):
    """What is said is kept, also by what the command loads. Returns the store."""
    monkeypatch.setenv("PARLEY_TRANSCRIPT__DAYS", "30")
    return make_store(transcript={"days": 30})


@pytest.fixture
def talk(kept, chat):
    """The lead asks, is answered, and asks again."""
    kept.inbox.accept(chat("a", "where is\nmy parcel?"))
    grant = kept.steps.begin(LEAD, "t")
    kept.steps.record(grant, Reply(("one moment", "it comes")).to_json())
    kept.steps.settle(grant, "answered", sent=None)
    kept.inbox.accept(chat("b", "and when?", image_url="https://host/x.png"))
    return kept


def test_read_shows_what_was_said_and_what_waits(parley, talk):
    ended = parley("read", *WHO)
    told = [line.partition("  ")[2] if line[:2] == "20" else line for line in ended.out.splitlines()]
    assert ended.status == 0
    assert told == [
        *("the lead:", "    where is", "    my parcel?", "the persona:", "    one moment", "    it comes"),
        *("the lead:", "    and when?", "    (1 image)", "", "Waits: 1"),
        *("the lead:", "    and when?", "    (1 image)"),
    ]


def test_read_as_json(parley, talk):
    talk.takeovers.claim(LEAD, "kim")
    talk.operator_messages.say(LEAD, "kim", "I am here")
    read = json.loads(parley("read", *WHO, "--json", "--limit", "1").out)
    assert [line["texts"] for line in read["said"]] == [["and when?"]]
    assert [(each["kind"], each["texts"], each.get("by")) for each in read["waiting"]] == [
        ("operator_message", ["I am here"], "kim"),
        ("inbound_chat", ["and when?"], None),
    ]


def test_without_a_transcript_the_words_that_wait_are_shown(parley, store, chat):
    store.inbox.accept(chat("a", "hello?"))
    grant = store.steps.begin(LEAD, "t")
    store.steps.record(grant, Reply(("not sent yet",)).to_json())
    told = parley("read", *WHO).out
    assert "What was said is not kept (PARLEY_TRANSCRIPT__DAYS is 0)." in told
    assert "    hello?" in told
    assert "its answer, not delivered yet:\n    not sent yet" in told
    assert parley("export", *WHO).status == 1


def test_no_character_of_a_lead_is_obeyed(parley, store, chat):
    store.inbox.accept(chat("a", "\x1b[2J\u202eevil"))
    assert "    \\x1b[2J\\u202eevil" in parley("read", *WHO).out


def test_export_is_json_lines(parley, talk, tmp_path):
    ended = parley("export", *WHO)
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [(line["who"], line["texts"]) for line in lines] == [
        ("lead", ["where is\nmy parcel?"]),
        ("persona", ["one moment", "it comes"]),
        ("lead", ["and when?"]),
    ]
    assert parley("export", "ava", "@lead", str(tmp_path / "x.jsonl")).out == "Written: 3.\n"
    assert (tmp_path / "x.jsonl").read_text() == ended.out
    assert "cannot be written" in parley("export", "ava", "@lead", str(tmp_path / "no" / "x")).err


def test_who_reads_leaves_a_trace(parley, talk):
    parley("read", *WHO)
    parley("export", *WHO)
    acts = json.loads(parley("audit", "--json").out)
    assert [(each["by"], each["act"], each["target"]) for each in acts] == [
        ("kim", "exported", "@lead"),
        ("kim", "read", "@lead"),
    ]
    assert parley("explain", "ava", "@lead").out.count("conversation read") == 2
    assert "parcel" not in parley("explain", "ava", "@lead").out


def test_reading_what_is_unknown_leaves_none(parley, store):
    for command in ("read", "export"):
        ended = parley(command, *WHO)
        assert (ended.status, "Nothing is known of this conversation." in ended.err) == (1, True)
    assert parley("audit").out == "No act of an operator is noted that matches.\n"


def test_each_act_of_an_operator_is_noted(parley, store, chat, die, monkeypatch):
    monkeypatch.setattr("worker.cli.session.operator", lambda: "lou")
    die("d1")
    die("d2")
    store.inbox.accept(chat("a"))
    for words, answer in (
        (("pause", "ava", "--reason", "holiday"), ""),
        (("resume", "ava"), ""),
        (("claim", *WHO), ""),
        (("say", *WHO, "--wait", "0"), "a secret"),
        (("read", *WHO), ""),
        (("hand-back", "ava", "@lead", "--answer", "none", "--yes"), ""),
        (("seal", *WHO, "--yes"), ""),
        (("unseal", *WHO), ""),
        (("dead", "show", "d1", "ava", "@lead", "--show-content"), ""),
        (("dead", "replay", "d1", "ava", "@lead"), ""),
        (("dead", "discard", "d2", "ava", "@lead", "--yes"), ""),
        (("consent", "set", "ava", "@lead", "out"), ""),
        (("consent", "export"), ""),
        (("rotate-keys", "--quiet"), ""),
        (("forget", "ava", "@lead", "--yes", "--also-consent"), ""),
    ):
        ended = parley(*words, answer=answer)
        assert ended.status == 0, (words, ended)
    acts = json.loads(parley("audit", "--json").out)
    assert [each["act"] for each in reversed(acts)] == [
        *("paused", "resumed", "claimed", "said", "read", "handed back", "sealed", "unsealed", "read", "replayed"),
        *("discarded", "consent written", "consent exported", "keys rotated", "forgot"),
    ]
    assert {each["by"] for each in acts} == {"kim", "lou"}
    told = parley("audit").out
    assert "(forgotten)" in told
    assert "@lead" not in told
    assert "secret" not in told
    assert len(json.loads(parley("audit", "--json", "--act", "read").out)) == 2


def test_what_was_not_done_is_not_noted(parley, store, chat):
    store.inbox.accept(chat("a"))
    assert parley("hand-back", "ava", "@lead", "--yes").status == 1
    assert parley("unseal", *WHO).status == 1
    assert parley("dead", "replay", "no", "ava", "@lead").status == 1
    assert parley("say", *WHO, answer="hello").status == 1
    assert store.audit.newest() == []
