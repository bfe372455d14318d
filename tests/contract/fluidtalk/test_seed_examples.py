"""The examples of the seed document, word for word: only the import line and the commented-out address are changed.

Each runs with the published client too, and must send the same to the lead.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

QUICK_START = """
from fluidtalk import FluidTalk, FluidTalkError

ft = FluidTalk(
    api_key="ft_sk_...",            # scoped to one persona + engine
    own_username="@my_account",     # optional default for tracking / dedup
    # base_url="https://api-talk.fluidvip.com"  (default)
)

# A lead messaged you -> get the persona's reply and relay it on your platform
res = ft.inbound_chat(target="@john_doe", message="hey, saw your post!")
for bubble in res.replies:
    my_chat.send("@john_doe", bubble)
if res.should_send_photo and res.photo_url:
    my_chat.send_image("@john_doe", res.photo_url)
"""

EXAMPLES = """
# AI opener (optionally with a profile screenshot for better targeting)
opener = ft.ai_opener(target="@lead", image_path="./profile.jpg")
my_chat.send("@lead", opener.message)

# Platform event (event_type must match an Event Trigger configured in your engine)
ev = ft.event_trigger(target="@lead", event_type="story_reaction", context={"reaction": "🔥"})

# Re-engage a ghost (needs an existing conversation)
fu = ft.follow_up(target="@lead")

# Attach an image the lead sent — from a local file path...
url = ft.upload_image(path="./incoming.jpg").url
r = ft.inbound_chat(target="@lead", message="what do you think?", image_url=url)

# ...or from bytes (e.g. a browser upload relayed to your backend, or serverless)
url = ft.upload_image(data=image_bytes, filename="lead.jpg").url
"""

BEHAVIOUR = """
try:
    res = ft.inbound_chat(target="@lead", message="hi")
    if res.ignored:
        return  # duplicate lead, already owned by another account — send nothing
    for bubble in res.replies:
        my_chat.send("@lead", bubble)
except FluidTalkError as e:
    if e.status == 401:   # missing or invalid API key
        ...
    elif e.status == 402: # insufficient credits to start a new conversation — see your plan
        ...
    elif e.status == 400: # conversation already DONE / sealed -> stop messaging
        ...
    elif e.status == 404: # no conversation yet (follow_up before any contact)
        ...
"""

BOTH_CLIENTS = pytest.mark.parametrize("module", ["worker.clients.fluidtalk", "fluidtalk"])


class Chat:
    """The caller's own platform, as the examples use it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, target: str, text: str) -> None:
        self.sent.append((target, text))

    def send_image(self, target: str, url: str) -> None:
        self.sent.append((target, f"image {url}"))


def run(example: str, module: str, recorder: Any, **names: Any) -> dict[str, Any]:
    """Run the quick start's first lines and then ``example``; the names that they leave behind."""
    set_up = QUICK_START.partition("\n# A lead")[0]
    source = set_up + "\n" + example.replace(set_up, "")
    source = source.replace("from fluidtalk import", f"from {module} import")
    source = source.replace('# base_url="https://api-talk.fluidvip.com"  (default)', f'base_url="{recorder.url}"')
    exec(compile(source, "seed", "exec"), names)
    # Ours keeps its connection open for the next call; the published one has none to close.
    getattr(names["ft"], "close", bool)()
    return names


@BOTH_CLIENTS
def test_quick_start(recorder: Any, module: str) -> None:
    chat = Chat()
    run(QUICK_START, module, recorder, my_chat=chat)
    assert chat.sent == [
        ("@john_doe", "Hey you!"),
        ("@john_doe", "What are you up to?"),
        ("@john_doe", "image https://photos.test/1.jpg"),
    ]
    assert [(request.path, request.key, request.fields) for request in recorder.requests] == [
        (
            "/api/v1/bot/chat",
            "ft_sk_...",
            [("target", "@john_doe"), ("message", "hey, saw your post!"), ("own_username", "@my_account")],
        )
    ]


@BOTH_CLIENTS
def test_examples(recorder: Any, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("profile.jpg").write_bytes(b"profile")
    Path("incoming.jpg").write_bytes(b"incoming")
    chat = Chat()
    names = run(EXAMPLES, module, recorder, my_chat=chat, image_bytes=b"from a browser")
    assert chat.sent == [("@lead", "Saw you like hiking ⛰")]
    assert names["ev"].message == names["fu"].message == "Saw you like hiking ⛰"
    assert names["r"].replies == ["Hey you!", "What are you up to?"]
    assert names["url"] == "https://uploads.test/2.jpg"
    account = ("own_username", "@my_account")
    assert [(request.path, request.fields, request.files) for request in recorder.requests] == [
        (
            "/api/v1/bot/action",
            [("target", "@lead"), ("action", "OUTREACH"), account],
            [("file", "profile.jpg", b"profile")],
        ),
        (
            "/api/v1/bot/action",
            [
                ("target", "@lead"),
                ("action", "ENTRY_POINT"),
                ("entry_type", "story_reaction"),
                ("entry_context", {"reaction": "🔥"}),
                account,
            ],
            [],
        ),
        ("/api/v1/bot/action", [("target", "@lead"), ("action", "FOLLOW_UP"), account], []),
        ("/api/v1/bot/upload", [], [("file", "incoming.jpg", b"incoming")]),
        (
            "/api/v1/bot/chat",
            [
                ("target", "@lead"),
                ("message", "what do you think?"),
                account,
                ("image_url", "https://uploads.test/2.jpg"),
            ],
            [],
        ),
        ("/api/v1/bot/upload", [], [("file", "lead.jpg", b"from a browser")]),
    ]


def behaviour() -> str:
    """The example returns from the caller's function, and its branches are left open: here they say where they are."""
    body = BEHAVIOUR
    for status in (401, 402, 400, 404):
        before, branch, after = body.partition(f"e.status == {status}:")
        body = before + branch + after.replace("...", f"handled = {status}", 1)
    function = textwrap.indent(f"handled = None\n{body}\nreturn handled", "    ")
    return f"def handle():\n{function}\n\nhandled = handle()\n"


@BOTH_CLIENTS
def test_behaviour_with_an_answer(recorder: Any, module: str) -> None:
    chat = Chat()
    assert run(behaviour(), module, recorder, my_chat=chat)["handled"] is None
    assert chat.sent == [("@lead", "Hey you!"), ("@lead", "What are you up to?")]


@BOTH_CLIENTS
def test_behaviour_with_a_lead_of_another_account(recorder: Any, module: str) -> None:
    recorder.will_answer(200, {"reply": "x", "replies": ["x"], "ignored": True, "ignore_reason": "owned"})
    chat = Chat()
    assert run(behaviour(), module, recorder, my_chat=chat)["handled"] is None
    assert chat.sent == []


@BOTH_CLIENTS
@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (401, "Invalid API key"),
        (402, "Insufficient credits"),
        (400, "This session is DONE"),
        (404, "No conversation"),
    ],
)
def test_behaviour_with_an_error(recorder: Any, module: str, status: int, detail: str) -> None:
    recorder.will_answer(status, {"detail": detail})
    chat = Chat()
    assert run(behaviour(), module, recorder, my_chat=chat)["handled"] == status
    assert chat.sent == []


@BOTH_CLIENTS
def test_an_opener_to_a_live_conversation(recorder: Any, module: str) -> None:
    """ "continued is True … For an opener the message is then "" — send nothing." """
    recorder.will_answer(
        200, {"session_id": "s", "message": "", "continued": True, "continued_reason": "conversation_already_active"}
    )
    names = run('opener = ft.ai_opener(target="@lead")', module, recorder)
    assert (names["opener"].continued, names["opener"].message) == (True, "")
    assert names["opener"].continued_reason == "conversation_already_active"
