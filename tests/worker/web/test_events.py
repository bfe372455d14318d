"""One event over HTTP: accepted with a receipt, or refused with a problem that says why and nothing of the content."""

from __future__ import annotations

import json

import httpx
import pytest

from simulation.servers.embedded_redis import free_port
from worker.domain.conversation import Conversation
from worker.web.problems import KINDS

FAR = "9999-12-31T23:59:59.999999Z"
CHANNEL = {"session_id": "session-SECRET", "metadata": {}, "hasLivechat": False}


def chat(**fields):
    common = {"kind": "inbound_chat", "persona": "ava", "target": "@john", "message": "hi SECRET", "channel": CHANNEL}
    return {**common, **fields}


def test_an_event_is_in_the_store_before_its_sender_has_the_receipt(web, waiting):
    answer = web.post("/v1/events", chat(event_id="m-1"))
    assert answer.status_code == 202
    receipt = answer.json()
    assert {name: receipt[name] for name in ("event_id", "status", "position")} == {
        "event_id": "m-1",
        "status": "accepted",
        "position": 1,
    }
    assert waiting() == ["m-1"]


def test_the_same_event_again_is_a_duplicate_with_the_same_receipt(web, waiting):
    first, again = (web.post("/v1/events", chat(event_id="m-1")).json() for _ in range(2))
    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert first["receipt"] == again["receipt"]
    assert waiting() == ["m-1"]


def test_a_receipt_names_no_lead_and_is_another_one_for_another_source(web, waiting):
    mine, theirs = (
        web.post("/v1/events", chat(persona="bea", event_id="m-1")),
        web.post("/v1/events", chat(persona="bea", event_id="m-1"), token="token-of-the-bank-0123456789"),
    )
    assert theirs.json()["status"] == "duplicate"
    assert mine.json()["receipt"] != theirs.json()["receipt"]
    assert "john" not in mine.json()["receipt"]


def test_an_event_without_an_id_gets_that_of_the_request(web, waiting):
    first, again = (web.post("/v1/events", chat(), Idempotency_Key="r-1").json() for _ in range(2))
    assert (first["event_id"], first["status"], again["status"]) == ("r-1", "accepted", "duplicate")
    assert web.post("/v1/events", chat(event_id="m-1"), Idempotency_Key="r-2").json()["event_id"] == "m-1"
    assert waiting() == ["r-1", "m-1"]


def test_an_event_without_any_id_gets_a_new_one(web, waiting):
    ids = {web.post("/v1/events", chat()).json()["event_id"] for _ in range(2)}
    assert sorted(waiting()) == sorted(ids)
    assert len(ids) == 2


@pytest.mark.parametrize(
    "key",
    ["two words", "x" * 257, "\u00e9".encode()],
    ids=["blank", "long", "no ASCII"],
)
def test_a_key_that_cannot_be_an_id_is_refused_where_an_event_needs_it(web, waiting, key):
    problem = web.post("/v1/events", chat(), Idempotency_Key=key).json()
    assert (problem["status"], problem["field"]) == (422, "event_id")
    assert "the header Idempotency-Key" in problem["detail"]
    assert "1 to 256 characters of printable ASCII without blanks" in problem["detail"]
    assert "two words" not in problem["detail"]
    assert waiting() == []
    assert web.post("/v1/events", chat(event_id="m-1"), Idempotency_Key=key).json()["event_id"] == "m-1"
    (first, second) = web.post("/v1/events", [chat(), chat(event_id="m-2")], Idempotency_Key=key).json()["results"]
    assert (first["field"], second["status"]) == ("event_id", "accepted")


def nested(levels):
    return b"[" * levels + b"]" * levels


LONG = b"9" * 5000


@pytest.mark.parametrize("odd", [nested(150), nested(3000), LONG], ids=["150 levels", "3000 levels", "5000 digits"])
def test_a_part_of_the_metadata_that_no_json_can_hold_is_left_out(web, store, waiting, odd):
    channel = {**CHANNEL, "metadata": {"odd": "ODD", "internal": {"channelMetadata": {"custom": {"a": 1}}}}}
    body = json.dumps(chat(event_id="m-1", channel=channel)).encode().replace(b'"ODD"', odd)
    assert web.post("/v1/events", body).status_code == 202
    assert (
        web.post("/v1/events", b"[" + body.replace(b"m-1", b"m-2") + b"]").json()["results"][0]["status"] == "accepted"
    )
    assert waiting() == ["m-1", "m-2"]
    moments = store.timeline.of(Conversation("ava", "@john"))
    assert [each.word for each in moments if "metadata" in str(each.details)] == ["left out", "left out"]


@pytest.mark.parametrize("odd", [nested(150), nested(3000), LONG], ids=["150 levels", "3000 levels", "5000 digits"])
@pytest.mark.parametrize("field", ["target", "context", "event_id", "odd", "image_url_of"])
def test_such_a_part_elsewhere_is_refused_with_its_field(web, waiting, odd, field):
    event = {"kind": "event_trigger", "persona": "ava", "target": "@john", "event_type": "x", "channel": CHANNEL}
    body = json.dumps({**event, field: {"a": "ODD"} if field == "context" else "ODD"}).encode().replace(b'"ODD"', odd)
    answer = web.post("/v1/events", body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert len(answer.text) < 500
    assert waiting() == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (nested(3000), 207, "an event is a JSON object"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, 422, "kind: must be inbound_chat"),
        (LONG, 422, "an event is a JSON object"),
    ],
    ids=["arrays", "objects", "a number"],
)
def test_a_body_that_is_only_deep_or_long_is_no_event(web, body, status, words):
    answer = web.post("/v1/events", body)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.parametrize(
    ("body", "kind", "field", "words"),
    [
        (b"{", "not-json", None, "cannot be read as JSON"),
        (b"\xff\xfe", "not-json", None, "not UTF-8"),
        (b"[" * 100_000, "not-json", None, "nested too deeply"),
        (b"[" * 3000, "not-json", None, "cannot be read as JSON"),
        (b'"\n"', "not-json", None, "cannot be read as JSON"),
        (b"", "not-json", None, "cannot be read as JSON"),
        ("SECRET", "refused", "event", "an event is a JSON object"),
        ({"kind": "SECRET"}, "refused", "kind", "must be inbound_chat, ai_opener"),
        (chat(message=["SECRET"]), "refused", "message", "valid string"),
        (chat(target=""), "refused", "target", "at least 1 character"),
        (chat(messagee="SECRET"), "refused", "messagee", "Extra inputs are not permitted"),
        (chat(event_id="two words"), "refused", "event_id", "String should match pattern"),
        (chat(message="SECRET" * 3000), "refused", "message", "message has 18000 characters"),
        (chat(persona="zoe"), "unknown-persona", "persona", "no persona of this name"),
        (
            {"kind": "follow_up", "persona": "ava", "target": "@john", "channel": CHANNEL, "not_before": FAR},
            "refused",
            "not_before",
            "more than ten years from now",
        ),
        (chat(channel=None), "channel-missing", None, "give channel="),
    ],
)
def test_what_is_refused_is_told_with_type_field_cause_and_cure_and_stores_nothing(
    web, waiting, body, kind, field, words
):
    answer = web.post("/v1/events", body)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (KINDS[kind].status, KINDS[kind].status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["title"], problem["cure"]) == (
        f"/problems/{kind}",
        KINDS[kind].title,
        KINDS[kind].cure,
    )
    assert words in problem["detail"]
    assert problem.get("field") == field
    assert "SECRET" not in answer.text
    assert "john" not in answer.text
    assert waiting() == []


def test_a_persona_that_is_not_configured_is_refused_without_the_names_of_the_others(web):
    assert "bea" not in web.post("/v1/events", chat(persona="zoe")).text


def test_the_type_of_a_problem_is_a_page(web):
    for kind, meant in KINDS.items():
        page = web.get(f"/problems/{kind}", token=None)
        assert page.status_code == 200
        assert meant.cure in page.text
    assert web.get("/problems/nothing", token=None).status_code == 404


@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
def test_another_media_type_is_refused_so_that_no_form_of_a_browser_is_taken(web, waiting, given):
    assert web.post("/v1/events", chat(), Content_Type=given).status_code == 415
    assert waiting() == []


def test_a_body_with_a_content_coding_is_refused(web):
    assert web.post("/v1/events", chat(), Content_Encoding="gzip").status_code == 415


def test_addresses_and_methods_that_are_not_there(web):
    assert web.get("/v1/nothing").json()["type"] == "/problems/not-found"
    answer = web.get("/v1/events")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["type"] == "/problems/method-not-allowed"


def test_a_full_inbox_is_told_with_a_time_to_try_again(start_web, redis_server, store):
    web = start_web(redis_server.url, PARLEY_LIMITS__INBOX_EVENTS="1")
    assert web.post("/v1/events", chat()).status_code == 202
    answer = web.post("/v1/events", chat())
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "5")
    assert answer.json()["cause"] == "inbox_full"


def test_a_store_that_is_away_is_told_and_neither_log_nor_answer_has_anything_of_the_lead(start_web):
    web = start_web("redis://127.0.0.1:1/0")
    answer = web.post("/v1/events", chat())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["type"] == "/problems/store-unreachable"
    assert web.get("/health/live", token=None).status_code == 200
    assert web.get("/health/ready", token=None).text == "the store is unreachable\n"
    said = web.log.read_text() + answer.text
    assert not any(secret in said for secret in ("SECRET", "john", "token-of"))


def test_it_is_ready_when_the_store_takes_events(web):
    assert web.get("/health/ready", token=None).text == "accepts events\n"


def test_what_was_answered_is_counted_by_source_and_status_at_an_address_of_its_own(start_web, redis_server, store):
    web = start_web(redis_server.url, PARLEY_METRICS__PORT=str(free_port()), PARLEY_METRICS__PORTS="1")
    web.post("/v1/events", chat())
    web.post("/v1/events", chat(), token="wrong")
    port = web.log.read_text().partition("metrics and health on 127.0.0.1 port ")[2].split()[0]
    told = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    assert 'parley_ingress_answers_total{source="shop",status="202"} 1.0' in told
    assert 'parley_ingress_answers_total{source="none",status="401"} 1.0' in told
    assert web.get("/metrics", token=None).status_code == 404
