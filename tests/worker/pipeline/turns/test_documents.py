"""The text that a document brings with it reaches the persona when a setting says so."""

from __future__ import annotations

import pytest

from worker import from_captivate
from worker.domain.conversation import Conversation
from worker.domain.refusals import InvalidEvent

AS_TEXT = {
    "ava": {"api_key": "ft_sk_ava", "documents": "as_text"},
    "cleo": {"api_key": "ftc_live_cleo", "platform": "instagram", "documents": "as_text"},
}


@pytest.fixture
def tell(channel):
    """A request of the lead, with one document for each text."""

    def make(words, *texts, persona="ava"):
        files = [{"type": "application/pdf", "filename": "a.pdf", "textContent": {"text": text}} for text in texts]
        request = {**channel, "user_input": words, "files": files}
        return from_captivate(request, persona=persona, target="@lead")

    return make


@pytest.mark.parametrize("persona", AS_TEXT)
def test_the_persona_gets_it_behind_the_message(make_shop, tell, persona):
    shop = make_shop(personas=AS_TEXT)
    shop.producer.enqueue(tell("which one?", "the red one", "the blue one", persona=persona))
    assert shop.work(Conversation(persona, "@lead" if persona == "ava" else "instagram/@lead")) == ["answered"]
    assert shop.texts() == [["You said: which one?", "You said: the red one", "You said: the blue one"]]


def test_a_document_alone_is_answered(make_shop, tell):
    shop = make_shop(personas=AS_TEXT)
    shop.producer.enqueue(tell(None, "the red one"))
    assert shop.work() == ["answered"]
    assert shop.texts() == [["You said: the red one"]]


def test_messages_with_documents_join(make_shop, tell, say):
    shop = make_shop(personas=AS_TEXT)
    shop.producer.enqueue_many([tell("one", "two"), say("three")])
    assert shop.work() == ["answered, joined 1"]
    assert [call.fields["message"] for call in shop.asked()] == ["one\ntwo\nthree"]


def test_by_default_it_is_left_out_and_listed(shop, store, lead, tell):
    shop.producer.enqueue(tell("which one?", "SECRET"))
    assert shop.work() == ["answered"]
    assert shop.texts() == [["You said: which one?"]]
    (listed,) = [moment.details[0] for moment in store.timeline.of(lead) if moment.word == "left out"]
    assert listed == "documents.0: the persona has DOCUMENTS=leave_out"
    with pytest.raises(InvalidEvent, match="nothing to answer"):
        shop.producer.enqueue(tell(None, "SECRET"))


@pytest.mark.parametrize(("words", "text", "opted_out"), [("STOP", "terms", True), ("ok", "STOP", False)])
def test_only_the_leads_own_words_opt_out(make_shop, store, lead, tell, words, text, opted_out):
    shop = make_shop(personas=AS_TEXT)
    shop.producer.enqueue(tell(words, text))
    assert (store.consents.of(lead) is not None) is opted_out
