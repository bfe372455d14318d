"""``parley say``: who may, what it answers, and that no word of it is anywhere but in the store."""

from __future__ import annotations

import threading

import pytest

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause

LEAD = Conversation("ava", "@lead")
WHO = ("ava", "@lead", "--by", "kim")


@pytest.fixture
def claimed(parley, store, chat):
    """A message waits, and kim has the conversation."""
    store.inbox.accept(chat("a"))
    assert parley("claim", *WHO).status == 0


def head(store):
    return store.steps.begin(LEAD, "t").head


def test_a_text_from_standard_input(parley, store, claimed):
    ended = parley("say", *WHO, "--wait", "0", answer="I will look into it.\n")
    assert (ended.status, ended.out) == (0, "It is on its way. What becomes of it: parley explain ava @lead\n")
    assert '"I will look into it."' in head(store).reply


def test_a_text_from_a_file(parley, store, claimed, tmp_path):
    (tmp_path / "words").write_text("Grüße\nand two lines\n", encoding="utf-8")
    assert parley("say", *WHO, "--text-file", str(tmp_path / "words"), "--wait", "0").status == 0
    assert "Grüße\\nand two lines" in head(store).reply


@pytest.mark.parametrize(
    ("fate", "reason", "status", "told"),
    [("answered", "", 0, "Delivered."), ("dead", Cause.DELIVERY_REFUSED, 1, "Not delivered: ")],
)
def test_it_waits_for_the_delivery(parley, store, claimed, eventually, fate, reason, status, told):
    def work():
        eventually(lambda: store.redis.lpos(store.keys.of(LEAD).inbox(LEAD), "a") == 1, "what is said waits in front")
        store.steps.settle(store.steps.begin(LEAD, "t"), fate, reason)

    worker = threading.Thread(target=work)
    worker.start()
    ended = parley("say", *WHO, answer="hello")
    worker.join()
    assert ended.status == status
    assert (ended.out + ended.err).startswith(told)


def test_why_it_cannot_be_said(parley, store, chat):
    def refusal(*words):
        ended = parley("say", *words, answer="hello")
        assert ended.status == 1
        return ended.err

    assert "Nothing is known of this conversation." in refusal(*WHO)
    store.inbox.accept(chat("a"))
    assert "parley claim ava @lead --by kim" in refusal(*WHO)
    parley("claim", *WHO)
    assert refusal("ava", "@lead", "--by", "lou").startswith("Another operator has this conversation: claimed by kim")
    store.consents.write(LEAD, "out", "kim")
    assert "--although-opted-out" in refusal(*WHO)
    assert parley("say", *WHO, "--although-opted-out", "--wait", "0", answer="hello").status == 0


def test_what_is_no_message(parley, claimed, tmp_path):
    ended = parley("say", *WHO, answer="  \n")
    assert (ended.status, "empty" in ended.err) == (1, True)
    (tmp_path / "words").write_bytes(b"\xff\xfe")
    ended = parley("say", *WHO, "--text-file", str(tmp_path / "words"))
    assert (ended.status, ended.err) == (2, "The message is not UTF-8.\n")
    ended = parley("say", *WHO, "--text-file", str(tmp_path / "nothing"))
    assert (ended.status, "cannot be read" in ended.err) == (2, True)


def test_explain_shows_who_said_something_and_not_what(parley, store, claimed):
    parley("say", *WHO, "--wait", "0", answer="a secret word")
    told = parley("explain", "ava", "@lead").out
    assert "said by" in told
    assert "kim" in told
    assert "secret" not in told
    assert "2 events wait: no worker is alive" in told.splitlines()[0]
    grant = store.steps.begin(LEAD, "t")
    assert "a worker is delivering the answer" in parley("explain", "ava", "@lead").out
    store.steps.settle(grant, "answered")
    assert parley("explain", "ava", "@lead").out.startswith("A person has this conversation")
