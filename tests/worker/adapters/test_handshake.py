"""Events become calls of the Handshake API; its results and errors become the domain's words."""

from __future__ import annotations

import pytest

from worker.adapters.fluidtalk_failures import failure_of
from worker.adapters.handshake import Handshake
from worker.clients import fluidtalk
from worker.clients.fluidtalk import ActionResult, ChatResult, UploadResult
from worker.clients.http.connections import NotSent
from worker.domain import failures
from worker.domain.answer import Answer
from worker.domain.events import AiOpener, EventTrigger, FollowUp, InboundChat

NAMED = {"persona": "ava", "target": "@l"}


class Client(fluidtalk.FluidTalk):
    """Notes each call and answers it with what it was given: a result, or an error to raise."""

    def __init__(self, answer):
        super().__init__("key")
        self.answer = answer
        self.calls = []

    def _note(self, name, *arguments, **named):
        self.calls.append((name, arguments, {key: value for key, value in named.items() if value is not None}))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def inbound_chat(self, *arguments, **named):
        return self._note("inbound_chat", *arguments, **named)

    def ai_opener(self, *arguments, **named):
        return self._note("ai_opener", *arguments, **named)

    def event_trigger(self, *arguments, **named):
        return self._note("event_trigger", *arguments, **named)

    def follow_up(self, *arguments, **named):
        return self._note("follow_up", *arguments, **named)

    def upload_image(self, *arguments, **named):
        return self._note("upload_image", *arguments, **named)


def chat(replies=(), should_send_photo=False, photo_url=None, ignored=False):
    return ChatResult("\n".join(replies), list(replies), should_send_photo, photo_url, "s", ignored, None)


def action(message="", ignored=False, continued=False):
    return ActionResult("s", message, ignored, None, continued)


def answer_to(result):
    return Handshake(Client(result)).ask((InboundChat(**NAMED, message="hi"),), None)


@pytest.mark.parametrize(
    ("events", "call"),
    [
        ([InboundChat(**NAMED, message="hi")], ("inbound_chat", ("@l", "hi"), {})),
        (
            [
                InboundChat(**NAMED, message="one", own_username="@old"),
                InboundChat(**NAMED, message="two", own_username="@new"),
                InboundChat(**NAMED, image_url="https://x/a.jpg"),
            ],
            ("inbound_chat", ("@l", "one\ntwo"), {"own_username": "@new"}),
        ),
        ([AiOpener(**NAMED, own_username="@a")], ("ai_opener", ("@l",), {"own_username": "@a"})),
        (
            [EventTrigger(**NAMED, event_type="story", context={"n": 1})],
            ("event_trigger", ("@l", "story", {"n": 1}), {}),
        ),
        ([EventTrigger(**NAMED, event_type="story")], ("event_trigger", ("@l", "story", None), {})),
        ([FollowUp(**NAMED)], ("follow_up", ("@l",), {})),
    ],
)
def test_events_that_are_answered_together_are_one_call(events, call):
    client = Client(action("yes"))
    assert Handshake(client).ask(tuple(events), None) == Answer(("yes",))
    assert client.calls == [call]


@pytest.mark.parametrize(
    "event",
    [InboundChat(**NAMED, message="hi"), AiOpener(**NAMED), EventTrigger(**NAMED, event_type="story")],
)
def test_a_hosted_image_goes_along(event):
    client = Client(action("yes"))
    Handshake(client).ask((event,), "https://hosted/a.png")
    assert client.calls[0][2] == {"image_url": "https://hosted/a.png"}


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (chat(["a", "b"], True, "https://x/p.jpg"), Answer(("a", "b"), "https://x/p.jpg")),
        (chat(["a"], False, "https://x/p.jpg"), Answer(("a",))),
        (chat(["a"], True, None), Answer(("a",))),
        (chat(["a"], True, ""), Answer(("a",))),
        (chat(["a"], ignored=True), Answer(("a",), ignored=True)),
        (chat(), Answer()),
        (action("hello", continued=True), Answer(("hello",), continued=True)),
        (action("", ignored=True), Answer(ignored=True)),
        (action(""), Answer()),
    ],
)
def test_a_result_is_read_as_what_the_lead_gets(result, answer):
    assert answer_to(result) == answer


def test_what_could_not_be_read_is_passed_on():
    result = fluidtalk.results.chat_result({"reply": "hi", "photo_url": "/a.jpg"})
    assert answer_to(result).left_out == (("photo_url", "its link is relative"),)


def of_a_page(error: fluidtalk.FluidTalkError) -> fluidtalk.FluidTalkError:
    """The same answer, of something in front of FluidTalk."""
    error.foreign = True
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (fluidtalk.InvalidCall("said"), failures.Unsendable),
        (fluidtalk.Unauthorized(401, {"detail": "x"}, "said"), failures.KeyRefused),
        (fluidtalk.CreditsExhausted(402, {"detail": "x"}, "said"), failures.CreditsOut),
        (fluidtalk.ConversationSealed(400, {"detail": "DONE"}, "said"), failures.Sealed),
        (fluidtalk.ConversationNotFound(404, {"detail": "x"}, "said"), failures.NoConversation),
        (fluidtalk.Throttled(429, {"detail": "x"}, "said", retry_after=9.0), failures.Throttled),
        (fluidtalk.Rejected(422, {"detail": "x"}, "said"), failures.Rejected),
        (fluidtalk.Unavailable(503, {"detail": "x"}, "said"), failures.Unavailable),
        (fluidtalk.OutcomeUnknown(500, {"detail": "x"}, "said"), failures.OutcomeUnknown),
        (fluidtalk.BadReply(200, {"detail": "x"}, "said"), failures.BadReply),
        (of_a_page(fluidtalk.Unauthorized(403, {"detail": "x"}, "said")), failures.Unavailable),
        (of_a_page(fluidtalk.CreditsExhausted(402, {"detail": "x"}, "said")), failures.CreditsOut),
        (of_a_page(fluidtalk.ConversationSealed(400, {"detail": "DONE"}, "said")), failures.Sealed),
        (of_a_page(fluidtalk.ConversationNotFound(404, {"detail": "x"}, "said")), failures.Unavailable),
        (of_a_page(fluidtalk.Throttled(429, {"detail": "x"}, "said", retry_after=9.0)), failures.Throttled),
        (of_a_page(fluidtalk.Rejected(307, {"detail": "x"}, "said")), failures.Unavailable),
        (of_a_page(fluidtalk.OutcomeUnknown(502, {"detail": "x"}, "said")), failures.OutcomeUnknown),
        (of_a_page(fluidtalk.BadReply(200, {"detail": "x"}, "said")), failures.OutcomeUnknown),
    ],
)
def test_each_error_of_the_client_is_one_failure_of_the_domain(error, failure):
    persona = Handshake(Client(error))
    chat = (InboundChat(**NAMED, message="hi"),)
    for call in (lambda: persona.ask(chat, None), lambda: persona.host("@x", b"", "a.png"), persona.try_out):
        with pytest.raises(failures.CallFailed) as caught:
            call()
        found = caught.value
        assert type(found) is failure
        assert (str(found), found.status, found.retry_after) == ("said", error.status, error.retry_after)
        assert (found.detail, found.why) == (error.detail, "")


def test_no_error_of_the_client_is_forgotten():
    kinds = [getattr(fluidtalk, name) for name in fluidtalk.__all__]
    errors = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, fluidtalk.FluidTalkError)]
    made = [kind("x") if kind is fluidtalk.InvalidCall else kind(0, None, "x") for kind in errors]
    # The last two come from the Characters API only; its adapter gives them their words.
    assert [type(error) for error in made if type(failure_of(error)) is failures.CallFailed] == [
        fluidtalk.Conflict,
        fluidtalk.FluidTalkError,
        fluidtalk.NotFound,
    ]


def test_why_there_was_no_answer_is_told():
    error = fluidtalk.Unavailable(0, None, "said")
    error.__cause__ = NotSent("ConnectError")
    assert failure_of(error).why == "no answer: ConnectError"


def test_an_image_is_hosted_and_its_address_comes_back():
    client = Client(UploadResult("https://hosted/a.png"))
    assert Handshake(client).host("@x", b"bytes", "a.png") == "https://hosted/a.png"
    assert client.calls == [("upload_image", (), {"data": b"bytes", "filename": "a.png"})]
