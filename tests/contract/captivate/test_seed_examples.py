"""The code examples of the seed document, as printed there but for the import line and its typos.

Typos corrected: ``data: any`` with ``data.dict()`` is a plain dict here, and the lone ``try`` has gone. What the
document prints as the answer differs from what its client sends (protocols.md 2.1); the differences are named below.
"""

# ruff: noqa: E501 - long lines as in the document

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from worker.clients.captivate import (
    ActionModel,
    ButtonMessageModel,
    Captivate,
    CaptivateResponseModel,
    CardCollectionModel,
    CardMessageModel,
    FileCollectionModel,
    FileModel,
    HtmlMessageModel,
    TableMessageModel,
    TextMessageModel,
    UserModel,
)

app = FastAPI()

# fmt: off


@app.post("/chat")
async def handle_chat(data: dict[str, Any]) -> dict[str, Any]:
    """The /chat example."""
    captivate = Captivate(**data)

    captivate.set_conversation_title('Lord of the rings')

    response_messages = [
        TextMessageModel(text="Welcome to our platform!"),
        ButtonMessageModel(buttons={"title": "Learn More", "options": [{"label":"Yes","value":"Yes"}]}),
        TableMessageModel(table="<table><tr><th>Name</th><th>Age</th></tr><tr><td>Alice</td><td>30</td></tr></table>"),
        CardCollectionModel(cards=[CardMessageModel(
            text="Special Offer",
            description="Get 20% off your next purchase.",
            image_url="https://example.com/offer.png",
            link="https://example.com/deals"
        )]),
        HtmlMessageModel(html="<h2>Today's Highlights</h2><ul><li>News Item 1</li><li>News Item 2</li></ul>"),
        FileCollectionModel(files=[FileModel(type='application/pdf',url="https://example.com/manual.pdf", filename="UserManual.pdf")] ),
        {"type": "custom", "content": "This is a custom message."}
    ]
    captivate.set_response(response_messages)

    outgoing_actions = [
        ActionModel(id="navigate", payload={"url": "https://example.com"}),
        ActionModel(id="submit", data={"form_id": "1234"})
    ]
    captivate.set_outgoing_action(outgoing_actions)

    return captivate.get_response()


# fmt: on
# The document's answer, with five differences: cards nest (C13), button options stay a list (C14), files have no title
# unless given (C15), the custom message is the one that was set, and the metadata also holds conversation_title and
# private (C4, C5).
EXPECTED = {
    "response": [
        {"type": "text", "text": "Welcome to our platform!"},
        {"type": "button", "buttons": {"title": "Learn More", "options": [{"label": "Yes", "value": "Yes"}]}},
        {
            "type": "table",
            "table": "<table><tr><th>Name</th><th>Age</th></tr><tr><td>Alice</td><td>30</td></tr></table>",
        },
        {
            "type": "cards",
            "cards": [
                {
                    "text": "Special Offer",
                    "description": "Get 20% off your next purchase.",
                    "image_url": "https://example.com/offer.png",
                    "link": "https://example.com/deals",
                }
            ],
        },
        {"type": "html", "html": "<h2>Today's Highlights</h2><ul><li>News Item 1</li><li>News Item 2</li></ul>"},
        {
            "type": "files",
            "files": [
                {"type": "application/pdf", "url": "https://example.com/manual.pdf", "filename": "UserManual.pdf"}
            ],
        },
        {"type": "custom", "content": "This is a custom message."},
    ],
    "session_id": "lance_catcher_test_69c35e3e-7ff4-484e-8e36-792a62567b79",
    "metadata": {
        "internal": {
            "channelMetadata": {
                "user": {"firstName": "Lance", "lastName": "safa", "email": "asdaf@gmail.com"},
                "channelMetadata": {"channel": "custom-channel", "channelData": {}},
                "custom": {
                    "mode": "non-dbfred",
                    "title": {"type": "title", "title": "Lord of the rings"},
                    "conversation_title": "Lord of the rings",
                },
                "private": {},
                "conversationCreatedAt": None,
                "conversationUpdatedAt": None,
            }
        }
    },
    "outgoing_action": [
        {"id": "navigate", "payload": {"url": "https://example.com"}, "data": {"url": "https://example.com"}},
        {"id": "submit", "payload": {"form_id": "1234"}, "data": {"form_id": "1234"}},
    ],
    "hasLivechat": False,
}


# fmt: off


@pytest.fixture
def captivate_instance(request_payload: dict[str, Any]) -> Captivate:
    """The conversation of the document's payload."""
    return Captivate(**request_payload)


def test_the_chat_endpoint(request_payload: dict[str, Any]) -> None:
    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://chat.test") as client:
            return await client.post("/chat", json=request_payload)

    answer = asyncio.run(post())
    assert answer.status_code == 200
    assert answer.json() == EXPECTED


def test_1_get_session_id(captivate_instance: Captivate) -> None:
    session_id = captivate_instance.get_session_id()
    assert session_id == "lance_catcher_test_69c35e3e-7ff4-484e-8e36-792a62567b79"


def test_2_get_user_input(captivate_instance: Captivate) -> None:
    user_input = captivate_instance.get_user_input()
    assert user_input == "hi man"


def test_3_and_4_conversation_title(captivate_instance: Captivate) -> None:
    captivate_instance.set_conversation_title("New Conversation Title")
    conversation_title = captivate_instance.get_conversation_title()
    assert conversation_title == "New Conversation Title"


def test_5_6_and_7_metadata(captivate_instance: Captivate) -> None:
    captivate_instance.set_metadata("custom_key", "custom_value")
    metadata_value = captivate_instance.get_metadata("custom_key")
    assert metadata_value == "custom_value"
    assert captivate_instance.remove_metadata("custom_key") is True
    assert captivate_instance.get_metadata("custom_key") is None


def test_8_get_channel(captivate_instance: Captivate) -> None:
    channel = captivate_instance.get_channel()
    assert channel == "custom-channel"


def test_9_and_10_user(captivate_instance: Captivate) -> None:
    user = captivate_instance.get_user()
    assert user == UserModel(firstName="Lance", lastName="safa", email="asdaf@gmail.com")
    captivate_instance.set_user(UserModel(firstName="John", lastName="Doe"))
    assert captivate_instance.get_user() == UserModel(firstName="John", lastName="Doe")


def test_11_and_12_times(captivate_instance: Captivate) -> None:
    created_at = captivate_instance.get_created_at()
    updated_at = captivate_instance.get_updated_at()
    assert (created_at, updated_at) == (None, None)


def test_13_get_has_livechat(captivate_instance: Captivate) -> None:
    has_livechat = captivate_instance.get_has_livechat()
    assert has_livechat is False


def test_14_set_response(captivate_instance: Captivate) -> None:
    captivate_instance.set_response([
        TextMessageModel(text="Welcome to our platform!"),
        ButtonMessageModel(buttons={"title": "Learn More", "action": "navigate"}),
        TableMessageModel(table="<table><tr><th>Name</th><th>Age</th></tr><tr><td>Alice</td><td>30</td></tr></table>"),
        CardCollectionModel(cards=[CardMessageModel(
            text="Special Offer",
            description="Get 20% off your next purchase.",
            image_url="https://example.com/offer.png",
            link="https://example.com/deals"
        )]),
        HtmlMessageModel(html="<h2>Today's Highlights</h2><ul><li>News Item 1</li><li>News Item 2</li></ul>"),
        FileCollectionModel(title="See files below", files=[FileModel(type='application/pdf',url="https://example.com/manual.pdf", filename="UserManual.pdf")] ),
        {"type": "custom", "content": "This is a custom message."}
    ])
    response = captivate_instance.get_response()["response"]
    assert [message["type"] for message in response] == ["text", "button", "table", "cards", "html", "files", "custom"]
    assert response[1]["buttons"] == {"title": "Learn More", "action": "navigate"}
    assert response[5]["title"] == "See files below"


def test_15_get_incoming_action(captivate_instance: Captivate) -> None:
    incoming_actions = captivate_instance.get_incoming_action()
    content = {"email": "delvallelance@gmail.com", "message": "You are fired"}
    assert incoming_actions == [ActionModel(id="sendEmail", payload=content)]


def test_16_set_outgoing_action(captivate_instance: Captivate) -> None:
    captivate_instance.set_outgoing_action([
        ActionModel(id="navigate", data={"url": "https://example.com"})
    ])
    sent = captivate_instance.get_response()["outgoing_action"]
    url = {"url": "https://example.com"}
    assert sent == [{"id": "navigate", "payload": url, "data": url}]


def test_17_get_response(captivate_instance: Captivate) -> None:
    """An object, as every client since 0.2.2 gives it, though the document says JSON text (C29)."""
    response_json = captivate_instance.get_response()
    assert CaptivateResponseModel(**response_json).model_dump() == response_json


def test_18_async_send_message(recorder: Any, request_payload: dict[str, Any]) -> None:
    """The example as printed, with the recorder in place of the dev host."""
    metadata = request_payload["metadata"]

    async def example() -> Any:
        captivate = Captivate(session_id="12345", hasLivechat=True, metadata=metadata)
        captivate.set_response([TextMessageModel(text="Hello, World!")])
        response = await captivate.async_send_message(environment="dev", base_url=recorder.origin)
        return captivate, response

    captivate, response = asyncio.run(example())
    assert response == {"ok": True}
    ((path, _, body),) = recorder.requests
    assert path == "/api/channel/v2/sendMessage"
    assert CaptivateResponseModel.model_validate_json(body).model_dump() == captivate.get_response()


def test_19_escalate_to_human(captivate_instance: Captivate) -> None:
    captivate_instance.escalate_to_human()
    sent = captivate_instance.get_response()["outgoing_action"]
    assert sent == [{"id": "escalateToHuman", "payload": None, "data": None}]


def test_20_escalate_to_agent_router(captivate_instance: Captivate) -> None:
    captivate_instance.escalate_to_agent_router()
    (bare,) = captivate_instance.get_response()["outgoing_action"]
    assert bare == {"id": "escalate_to_agent_router", "payload": None, "data": None}
    captivate_instance.escalate_to_agent_router(
        reason="Complex billing inquiry",
        intent="resolve_payment_issue",
        recommended_agents="agent_123,agent_456,agent_789"
    )
    (action,) = captivate_instance.get_response()["outgoing_action"]
    assert action["payload"] == action["data"] == {
        "reason": "Complex billing inquiry",
        "intent": "resolve_payment_issue",
        "recommended_agents": "agent_123,agent_456,agent_789",
    }


def test_21_escalate_to_agent(captivate_instance: Captivate) -> None:
    captivate_instance.escalate_to_agent("agent_123")
    (bare,) = captivate_instance.get_response()["outgoing_action"]
    assert bare == {"id": "escalate_to_agent", "payload": {"agent_id": "agent_123"}, "data": {"agent_id": "agent_123"}}
    captivate_instance.escalate_to_agent(
        agent_id="billing_specialist_001",
        reason="User has complex billing inquiry requiring specialist knowledge"
    )
    (action,) = captivate_instance.get_response()["outgoing_action"]
    assert action["payload"] == {
        "agent_id": "billing_specialist_001",
        "reason": "User has complex billing inquiry requiring specialist knowledge",
    }


def test_22_private_metadata(request_payload: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    data_action = request_payload
    captivate_instance = Captivate(**data_action)
    captivate_instance.set_private_metadata('my_secret', 123)
    print(captivate_instance.get_metadata('my_secret'))
    assert capsys.readouterr().out == "123\n"


def test_22_reserved_key_protection(captivate_instance: Captivate, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        captivate_instance.set_metadata('private', 'should fail')
    except Exception as e:
        print('Expected error for reserved key:', e)
    assert capsys.readouterr().out.startswith("Expected error for reserved key: 'private' is a reserved key")
