"""Reasons and names that operators give: their limits, and how those are shown that are older than the limits."""

from __future__ import annotations

import json

import pytest

from worker.domain.conversation import Conversation
from worker.domain.operator_words import MOST_NAME, MOST_NOTE, MOST_REASON

LEAD = Conversation("ava", "@lead")
LONG = "x" * 5000


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "ava"),
        ("seal", *LEAD),
        ("unseal", *LEAD),
        ("claim", *LEAD),
        ("consent", "set", *LEAD, "out"),
        ("consent", "import", "none.csv"),
        ("notices", "pause", "crm"),
    ],
)
def test_a_reason_that_is_too_long_is_refused(parley, store, chat, tmp_path, words):
    (tmp_path / "none.csv").write_text("persona,target,state\n")
    store.inbox.accept(chat("a"))
    ended = parley(*words, "--reason", "x" * (MOST_REASON + 1))
    assert (ended.status, ended.err) == (
        2,
        "--reason has 501 characters, the limit is 500: shorten it. Nothing was changed.\n",
    )
    assert store.audit.newest() == []


def test_a_name_that_is_too_long_is_refused(parley, store, chat):
    store.inbox.accept(chat("a"))
    ended = parley("seal", *LEAD, "--by", "x" * (MOST_NAME + 1))
    assert (ended.status, ended.err.startswith("--by has 65 characters, the limit is 64")) == (2, True)
    assert store.audit.newest() == []


def test_the_longest_reason_and_name_are_taken_and_shown_whole(parley, store, chat):
    store.inbox.accept(chat("a"))
    reason, name = "r" * MOST_REASON, "n" * MOST_NAME
    assert parley("claim", *LEAD, "--reason", reason, "--by", name).status == 0
    for words in (("claims",), ("explain", *LEAD)):
        assert f"claimed by {name}: {reason}" in parley(*words).out.replace("\n", "")
    assert store.audit.newest()[0].detail == reason


def test_older_ones_that_are_longer_are_cut(parley, store, chat):
    for target in ("@lead", "@other"):
        store.inbox.accept(chat("a", target=target))
    store.personas.pause("ava", LONG)
    store.takeovers.claim(LEAD, "kim", LONG)
    store.seals.seal(Conversation("ava", "@other"), "kim", LONG)
    store.consents.write(LEAD, "out", f"kim: {LONG}")
    commands = ("status", "claims", "seals", "consent list", "consent show ava @lead", "outreach ava")
    for command in (*commands, "explain ava @lead", "explain ava @other", "resume ava"):
        shown = parley(*command.split())
        longest = max(map(len, shown.out.splitlines()))
        assert ("xx…" in shown.out, longest < MOST_NOTE + 400) == (True, True), (command, longest, shown)
    assert LONG in json.loads(parley("claims", "--json").out)[0]["reason"], "programs get it whole"
