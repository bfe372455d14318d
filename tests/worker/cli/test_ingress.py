"""``parley ingress try``: what a Captivate request would become."""

from __future__ import annotations

import json

import pytest

PAYLOAD = {
    "session_id": "session-SECRET",
    "user_input": "hi SECRET",
    "files": [{"url": "https://files.example/a.jpg"}, None],
    "metadata": {"user": {"name": "@john"}},
}


@pytest.fixture
def try_request(parley, tmp_path):
    """Try a payload, or the text of a file."""

    def run(payload, *words, persona="ava"):
        file = tmp_path / "request.json"
        file.write_text(payload if isinstance(payload, str) else json.dumps(payload), encoding="utf-8")
        return parley("ingress", "try", str(file), "--persona", persona, *words)

    return run


def test_it_shows_the_lead_and_the_parts_without_content(try_request, monkeypatch):
    told = json.loads(try_request(PAYLOAD, "--json").out)
    assert told["target"].startswith("lead-")
    assert (told["message_characters"], told["images"]) == (9, 1)
    assert "files.1" in told["left_out"]
    monkeypatch.setenv("PARLEY_INGRESS__CAPTIVATE__TARGET", "metadata.user.name")
    monkeypatch.setenv("PARLEY_INGRESS__CAPTIVATE__TARGET_AS", "shown")
    shown = try_request(PAYLOAD)
    assert "@john" in shown.out
    assert "SECRET" not in shown.out


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({**PAYLOAD, "session_id": None}, "would answer 422: not a Captivate request: session_id"),
        ("{", "is not JSON: the ingress would answer 400"),
        ("[]", "holds no JSON object"),
    ],
)
def test_what_would_be_refused_is_told_with_status_1(try_request, payload, says):
    ended = try_request(payload)
    assert ended.status == 1
    assert says in ended.err
    assert "SECRET" not in ended.err


def test_what_a_platform_writes_oddly_is_read_as_the_ingress_reads_it(parley, tmp_path):
    file = tmp_path / "request.json"
    file.write_bytes(json.dumps(PAYLOAD).encode().replace(b"hi SECRET", b"hi \xc3") + b" \n")
    told = json.loads(parley("ingress", "try", str(file), "--persona", "ava", "--json").out)
    assert told["message_characters"] == 4


def test_a_byte_order_mark_is_passed_over_as_the_ingress_does(try_request):
    assert try_request("\ufeff" + json.dumps(PAYLOAD)).status == 0


def test_a_persona_that_is_not_there_is_wrong_usage(try_request):
    assert try_request(PAYLOAD, persona="zoe").status == 2


def test_a_file_that_is_not_there_is_wrong_usage(parley):
    assert parley("ingress", "try", "/nowhere/request.json").status == 2
