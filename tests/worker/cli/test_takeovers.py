"""``parley claim``, ``hand-back`` and ``claims``; ``seal``, ``unseal`` and ``seals``."""

from __future__ import annotations

import json
import threading
from datetime import datetime

import pytest

from worker.domain.conversation import Conversation

LEAD = Conversation("ava", "@lead")
WHO = ("ava", "@lead")


@pytest.fixture
def waiting(store, chat):
    """Two messages wait."""
    store.inbox.accept(chat("a"))
    store.inbox.accept(chat("b"))


def first_line(parley):
    return parley("explain", *WHO).out.splitlines()[0]


# Claims


def test_claim_and_hand_back(parley, store, waiting):
    ended = parley("claim", *WHO, "--by", "kim", "--reason", "refund")
    assert (ended.status, "When you are done: parley hand-back ava @lead" in ended.out) == (0, True)
    answer = store.steps.begin(LEAD, "t")
    assert (answer.status, answer.reason) == ("taken_over", "claimed by kim: refund")
    ended = parley("hand-back", *WHO)
    assert (ended.status, ended.out) == (0, "Handed back to ava. Events that wait and continue: 2.\n")
    assert store.steps.begin(LEAD, "t").head.event_id == "a"


def test_without_a_name_the_claim_is_that_of_the_user(parley, store, waiting, monkeypatch):
    monkeypatch.setattr("worker.cli.session.operator", lambda: "root")
    parley("claim", *WHO)
    assert store.takeovers.all()[0].reason == "claimed by root"


def test_a_claim_twice_is_one_and_another_operators_claim_is_a_no(parley, waiting):
    assert parley("claim", *WHO, "--by", "kim").status == 0
    assert parley("claim", *WHO, "--by", "kim").status == 0
    ended = parley("claim", *WHO, "--by", "lou")
    assert ended.status == 1
    assert ended.err.startswith("Already claimed by kim, since 20")


def test_a_claim_returns_when_the_delivery_under_way_has_ended(parley, store, waiting, eventually):
    grant = store.steps.begin(LEAD, "t")
    store.steps.record(grant, '{"bubbles":["hi"]}')

    def deliver():
        eventually(lambda: store.takeovers.all(), "the claim")
        store.steps.settle(grant, "answered")

    delivery = threading.Thread(target=deliver)
    delivery.start()
    ended = parley("claim", *WHO, "--by", "kim")
    delivery.join()
    assert ended.status == 0
    assert "A delivery that began before is under way" in ended.out
    assert not store.takeovers.is_delivering(LEAD)


def test_a_delivery_that_does_not_end_is_said(parley, store, waiting, monkeypatch):
    for part in ("TOTAL", "READ", "CONNECT"):
        monkeypatch.setenv(f"PARLEY_CAPTIVATE__{part}_SECONDS", "0.1")
    monkeypatch.setenv("PARLEY_LEASE__TTL_SECONDS", "0.6")
    monkeypatch.setenv("PARLEY_LEASE__RENEW_SECONDS", "0.1")
    store.steps.record(store.steps.begin(LEAD, "t"), '{"bubbles":["hi"]}')
    ended = parley("claim", *WHO, "--by", "kim")
    assert ended.status == 1
    assert "a delivery has not ended within 1 s" in ended.err
    assert store.takeovers.all()[0].reason == "claimed by kim"


@pytest.mark.parametrize(("answer", "left"), [("last", ["b"]), ("none", [])])
def test_what_is_to_be_dropped_is_asked_about(parley, store, waiting, answer, left):
    parley("claim", *WHO)
    ended = parley("hand-back", *WHO, "--answer", answer, answer="n\n")
    assert (ended.status, ended.err) == (1, "Nothing was changed.\n")
    assert "2 events wait. They are dropped without an answer" in ended.out
    ended = parley("hand-back", *WHO, "--answer", answer, answer="y\n")
    assert ended.status == 0
    assert f"continue: {len(left)}; dropped: {2 - len(left)}." in ended.out
    assert store.redis.lrange(store.keys.of(LEAD).inbox(LEAD), 0, -1) == left


def test_with_yes_nobody_is_asked(parley, waiting):
    parley("claim", *WHO)
    assert "dropped: 2" in parley("hand-back", *WHO, "--answer", "none", "--yes").out


def test_without_an_answer_the_policy_of_the_persona_holds(parley, waiting, monkeypatch):
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__TAKEOVER__ON_HAND_BACK", "last")
    parley("claim", *WHO)
    assert "dropped: 1" in parley("hand-back", *WHO, "--yes").out


@pytest.mark.parametrize("words", [("claim",), ("hand-back",), ("seal", "--yes"), ("seal",), ("unseal",)])
def test_an_unknown_conversation_is_a_no(parley, store, words):
    ended = parley(words[0], "ava", "@nobody", *words[1:])
    assert ended.status == 1
    assert ended.err.startswith("Nothing is known of this conversation")
    assert list(store.redis.scan_iter()) == []


def test_what_nobody_has_cannot_be_handed_back(parley, waiting):
    ended = parley("hand-back", *WHO, "--answer", "none")
    assert (ended.status, ended.err.startswith("No person has taken this conversation over")) == (1, True)


def test_the_list(parley, store, waiting):
    assert parley("claims").out == "No conversation is taken over.\n"
    assert json.loads(parley("claims", "--json").out) == []
    parley("claim", *WHO, "--by", "kim", "--reason", "refund")
    ended = parley("claims")
    assert ended.out.splitlines()[0].split() == ["since", "(UTC)", "persona", "target", "reason", "waiting"]
    assert ended.out.splitlines()[-1].split()[2:] == ["ava", "@lead", "claimed", "by", "kim:", "refund", "2"]
    (listed,) = json.loads(parley("claims", "--json").out)
    assert datetime.fromisoformat(listed.pop("since")).tzinfo
    assert listed == {"persona": "ava", "target": "@lead", "reason": "claimed by kim: refund", "waiting": 2}
    assert json.loads(parley("claims", "--persona", "bea", "--json").out) == []


def test_explain_says_who_has_it_and_what_ends_it(parley, waiting, monkeypatch):
    parley("claim", *WHO, "--by", "kim", "--reason", "refund")
    said = first_line(parley)
    assert said.startswith("A person has this conversation since 20")
    assert said.endswith(
        "(claimed by kim: refund), so the persona is silent; 2 events wait; "
        "it goes on after: parley hand-back ava @lead."
    )
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__TAKEOVER__HAND_BACK_AFTER_SECONDS", "300")
    assert ", or by itself in " in first_line(parley)
    assert "taken over   claimed by kim: refund" in parley("explain", *WHO).out


# Seals


def test_seal_and_unseal(parley, store, chat, waiting):
    ended = parley("seal", *WHO, answer="n\n")
    assert (ended.status, "Events that wait and end without an answer: 2." in ended.out) == (1, True)
    assert parley("seal", *WHO, "--by", "kim", "--reason", "stop", answer="y\n").status == 0
    assert store.steps.begin(LEAD, "t").sealed
    ended = parley("unseal", *WHO)
    assert (ended.status, ended.out) == (0, "Unsealed. What comes from now on is asked again.\n")
    assert parley("seals").out == "No conversation is sealed.\n"


def test_sealing_twice_and_unsealing_twice_is_a_no(parley, waiting):
    assert parley("unseal", *WHO).err == "It is not sealed.\n"
    parley("seal", *WHO, "--yes")
    ended = parley("seal", *WHO)
    assert (ended.status, ended.err) == (1, "It is sealed already.\n")


def test_the_seals_of_persona_and_operators_are_listed(parley, store, chat, turn):
    store.inbox.accept(chat("a"))
    turn("sealed", "the persona ended the conversation", mark="sealed")
    store.inbox.accept(chat("b", target="@other"))
    turn(target="@other")
    parley("seal", "ava", "@other", "--by", "kim", "--yes")
    rows = [line.split()[2:] for line in parley("seals").out.splitlines()[2:]]
    assert rows == [["ava", "@lead", "the", "persona"], ["ava", "@other", "kim"]]
    listed = json.loads(parley("seals", "--json").out)
    assert [(each["target"], each["by"]) for each in listed] == [("@lead", ""), ("@other", "kim")]
    said = parley("explain", "ava", "@other").out.splitlines()[0]
    assert " by kim: later events end as sealed without a call; it goes on after: parley unseal ava @other" in said
