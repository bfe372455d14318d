"""From a stored reply to the message that Captivate gets, and from its errors to the domain's words."""

from __future__ import annotations

import pytest

from config.settings import Escalation
from worker.adapters.channel import CaptivateChannel, failure_of
from worker.clients import captivate
from worker.clients.http.connections import Unanswered
from worker.domain import failures
from worker.domain.events import ChannelContext
from worker.domain.reply import Reply, farewell


class Client(captivate.CaptivateClient):
    """Notes what it is to send, and raises what it is told to."""

    def __init__(self, error=None):
        super().__init__("dev")
        self.sent = []
        self.error = error

    def send_body(self, body, idempotency_key=None):
        self.sent.append((body, idempotency_key))
        if self.error:
            raise self.error


@pytest.fixture
def write(channel):
    """The message of a reply's next send."""
    context = ChannelContext.model_validate(channel)
    return lambda reply, sent=0: CaptivateChannel(Client()).message_of(context, reply, sent)


@pytest.fixture
def body(write):
    """The message of a reply of these parts."""
    return lambda **parts: write(Reply(**parts))


def test_each_bubble_is_a_text_message_of_its_own_in_order(body):
    assert body(bubbles=("one", "two", "two"))["response"] == [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two"},
        {"type": "text", "text": "two"},
    ]


def test_the_photo_comes_last_as_a_file_message(body):
    sent = body(bubbles=("look",), photo_url="https://cdn.example/p/beach.png")["response"]
    assert [message["type"] for message in sent] == ["text", "files"]
    assert sent[-1]["files"] == [
        {"type": "image/png", "url": "https://cdn.example/p/beach.png", "filename": "beach.png"}
    ]


def test_a_photo_needs_no_words(body):
    sent = body(photo_url="https://cdn.example/a.jpg")["response"]
    assert [message["type"] for message in sent] == ["files"]


@pytest.mark.parametrize(
    ("photo_url", "kind", "filename"),
    [
        ("https://cdn.example/a.jpg", "image/jpeg", "a.jpg"),
        ("https://cdn.example/a.JPEG?width=3&sig=a.png", "image/jpeg", "a.JPEG"),
        ("https://cdn.example/dir.png/a.gif#x", "image/gif", "a.gif"),
        ("https://cdn.example/a.webp", "image/webp", "a.webp"),
        ("https://cdn.example/photo/7", "image/jpeg", "7.jpg"),
        ("https://cdn.example/page.html", "image/jpeg", "page.jpg"),
        ("https://cdn.example/p/My%20Photo.jpg?sig=1", "image/jpeg", "My Photo.jpg"),
        ("https://[cdn.example/a.png", "image/jpeg", "photo.jpg"),
        ("https://cdn.example/", "image/jpeg", "photo.jpg"),
        ("https://cdn.example", "image/jpeg", "photo.jpg"),
    ],
)
def test_a_photo_has_the_image_type_of_its_name_or_else_jpeg(body, photo_url, kind, filename):
    (message,) = body(photo_url=photo_url)["response"]
    assert message["files"] == [{"type": kind, "url": photo_url, "filename": filename}]


@pytest.mark.parametrize(
    ("escalation", "action"),
    [
        ({"action": "escalate_to_human"}, {"id": "escalateToHuman", "payload": None, "data": None}),
        (
            {"action": "escalate_to_agent_router", "reason": "sealed"},
            {"id": "escalate_to_agent_router", "payload": {"reason": "sealed"}, "data": {"reason": "sealed"}},
        ),
        ({"action": "escalate_to_agent_router"}, {"id": "escalate_to_agent_router", "payload": None, "data": None}),
        (
            {"action": "escalate_to_agent", "agent_id": "a7"},
            {"id": "escalate_to_agent", "payload": {"agent_id": "a7"}, "data": {"agent_id": "a7"}},
        ),
    ],
)
def test_a_farewell_carries_the_configured_escalation_and_no_words(write, escalation, action):
    reply = farewell("dead", "why", Escalation(**escalation))
    sent = write(reply)
    assert sent["outgoing_action"] == [action]
    assert sent["response"] == []


def test_a_paced_reply_goes_out_message_by_message_the_photo_last(write):
    reply = Reply(("one", "two"), "https://cdn.example/a.jpg", {"action": "escalate_to_human"}, pauses=(1.0, 2.0))
    sends = [write(reply, sent) for sent in range(reply.sends)]
    assert [[message.get("text", message["type"]) for message in send["response"]] for send in sends] == [
        ["one"],
        ["two"],
        ["files"],
    ]
    assert [bool(send["outgoing_action"]) for send in sends] == [False, False, True], "the hand-over comes at the end"


def test_words_travel_with_an_escalation(body):
    sent = body(bubbles=("bye",), escalation={"action": "escalate_to_human"})
    assert sent["response"] == [{"type": "text", "text": "bye"}]
    assert [action["id"] for action in sent["outgoing_action"]] == ["escalateToHuman"]


def test_without_an_escalation_there_is_no_action(body):
    assert body(bubbles=("hi",))["outgoing_action"] is None


def test_a_farewell_still_escalates_after_it_was_stored(write):
    stored = farewell("sealed", "why", Escalation(action="escalate_to_agent", agent_id="a7", reason="done")).to_json()
    sent = write(Reply.of_json(stored))
    assert sent["outgoing_action"][0]["payload"] == {"agent_id": "a7", "reason": "done"}


def test_a_message_is_sent_once_with_its_key(write):
    client = Client()
    message = write(Reply(("hi",)))
    CaptivateChannel(client).send(message, "key-1")
    assert client.sent == [(message, "key-1")]


def test_an_escalation_that_cannot_be_sent_is_a_failure_of_the_call(write):
    """One of a newer release, or from before its agent was checked."""
    with pytest.raises(failures.Unsendable, match="agent_id is empty"):
        write(Reply(escalation=Escalation.model_construct(action="escalate_to_agent", agent_id=" ").model_dump()))


def of_a_page(error: captivate.CaptivateError) -> captivate.CaptivateError:
    """The same answer, of something in front of Captivate."""
    error.foreign = True
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (captivate.Throttled("said", status=429, retry_after=9.0), failures.Throttled),
        (captivate.Unavailable("said", status=503, retry_after=9.0), failures.Unavailable),
        (captivate.Unavailable("said"), failures.Unavailable),
        (captivate.OutcomeUnknown("said"), failures.OutcomeUnknown),
        (captivate.OutcomeUnknown("said", status=500), failures.OutcomeUnknown),
        (captivate.Rejected("said", status=422), failures.Rejected),
        (captivate.Rejected("said", status=401), failures.KeyRefused),
        (captivate.Rejected("said", status=403), failures.KeyRefused),
        (captivate.CaptivateValueError("said"), failures.Unsendable),
        (of_a_page(captivate.Rejected("said", status=404)), failures.Unavailable),
        (of_a_page(captivate.Rejected("said", status=307)), failures.Unavailable),
        (of_a_page(captivate.Rejected("said", status=403)), failures.KeyRefused),
        (of_a_page(captivate.Throttled("said", status=429, retry_after=9.0)), failures.Throttled),
        (of_a_page(captivate.OutcomeUnknown("said", status=502)), failures.OutcomeUnknown),
    ],
)
def test_each_error_of_the_client_is_one_failure_of_the_domain(write, error, failure):
    with pytest.raises(failures.CallFailed) as caught:
        CaptivateChannel(Client(error)).send(write(Reply(("hi",))), "key-1")
    found = caught.value
    assert type(found) is failure
    assert (str(found), found.status, found.retry_after) == ("said", error.status or 0, error.retry_after)
    assert found.why == ""


def test_why_there_was_no_answer_is_told():
    error = captivate.OutcomeUnknown("said")
    error.__cause__ = Unanswered("ReadTimeout")
    assert failure_of(error).why == "no answer: ReadTimeout"
