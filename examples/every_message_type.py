"""Every kind of message and action that Captivate knows, sent once through its send API.

python -m examples.every_message_type --environment dev --session-id s-1       from the folder above
python -m examples.every_message_type --base-url http://127.0.0.1:8000 --session-id s-1
"""

from __future__ import annotations

import argparse

from worker.clients.captivate import (
    ActionModel,
    ButtonMessageModel,
    Captivate,
    CaptivateClient,
    CaptivateError,
    CardCollectionModel,
    CardMessageModel,
    FileCollectionModel,
    FileModel,
    HtmlMessageModel,
    TableMessageModel,
    TextMessageModel,
    UserModel,
)


def conversation(session_id: str) -> Captivate:
    """A conversation as a webhook gets it: ``Captivate.parse(request_body)``."""
    return Captivate.parse(
        {
            "session_id": session_id,
            "hasLivechat": False,
            "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}},
        }
    )


def fill(captivate: Captivate) -> None:
    """Put one message of each kind into the answer, two actions, a title, and a value of each visibility."""
    captivate.set_conversation_title("Lord of the rings")
    captivate.set_metadata("mode", "example")
    captivate.set_private_metadata("score", 7)
    captivate.set_user(UserModel(firstName="Lance", lastName="Safa", email="lance@example.com"))
    captivate.set_response(
        [
            TextMessageModel(text="Welcome to our platform!"),
            ButtonMessageModel(buttons={"title": "Learn more", "options": [{"label": "Yes", "value": "Yes"}]}),
            TableMessageModel(
                table="<table><tr><th>Name</th><th>Age</th></tr><tr><td>Alice</td><td>30</td></tr></table>"
            ),
            CardCollectionModel(
                cards=[
                    CardMessageModel(
                        text="Special offer",
                        description="20% off your next purchase.",
                        image_url="https://example.com/offer.png",
                        link="https://example.com/deals",
                    )
                ]
            ),
            HtmlMessageModel(html="<h2>Today</h2><ul><li>News</li></ul>"),
            FileCollectionModel(
                title="The manual",
                files=[FileModel(type="application/pdf", url="https://example.com/manual.pdf", filename="manual.pdf")],
            ),
            {"type": "custom", "content": "Any JSON object goes out as it is."},
        ]
    )
    captivate.set_outgoing_action(
        [
            ActionModel(id="navigate", payload={"url": "https://example.com"}),
            ActionModel(id="submit", data={"form_id": "1234"}),
        ]
    )


def main() -> None:
    """Send them and say what went out."""
    parser = argparse.ArgumentParser(description="Send one message of every Captivate type.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--environment", choices=("dev", "prod"), help="Captivate's own servers")
    where.add_argument("--base-url", help="another server, such as http://127.0.0.1:8000")
    parser.add_argument("--session-id", required=True, help="the conversation to write to")
    arguments = parser.parse_args()
    captivate = conversation(arguments.session_id)
    fill(captivate)
    client = CaptivateClient(environment=arguments.environment, base_url=arguments.base_url)
    try:
        client.send_message(captivate)
    except CaptivateError as error:
        raise SystemExit(f"not sent: {error}") from None
    finally:
        client.close()
    body = captivate.body()
    print(f"sent {len(body['response'])} messages and {len(body['outgoing_action'])} actions")


if __name__ == "__main__":
    main()
