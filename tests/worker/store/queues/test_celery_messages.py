"""Messages as kombu writes them, and what is none."""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import tracemalloc
import uuid
import zlib
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace

import pytest
from celery import signature
from hypothesis import given
from hypothesis import strategies as st

from worker.store.queues.celery_messages import TaskMessage, UnreadableMessage, read, text_of


def message(arguments=({"kind": "x"},), keywords=None, **headers):
    body = json.dumps([list(arguments), keywords or {}, {}])
    return envelope(base64.b64encode(body.encode()).decode(), headers={"id": "i1", "task": "tasks.accept", **headers})


def envelope(body, **parts):
    usual = {"headers": {"id": "i1", "task": "tasks.accept"}, "properties": {"body_encoding": "base64"}}
    return json.dumps({"body": body, **usual, **parts})


def test_the_only_argument_is_the_event():
    assert read(message()).argument == {"kind": "x"}
    assert read(message(arguments=(), keywords={"event": 7})).argument == 7


@pytest.fixture
def sent(redis_server, store):
    """What a real Celery producer puts into the queue; ``conf``: its own settings."""
    from celery import Celery

    def send(*args, conf=None, **options):
        store.redis.delete("accept")
        with Celery(broker=redis_server.url, set_as_current=False) as app:
            app.conf.update(conf or {})
            app.send_task("tasks.accept", queue="accept", ignore_result=True, **{"args": args, **options})
        return store.redis.lindex("accept", -1)

    return send


def test_what_celery_sends_is_read(sent):
    assert read(sent({"kind": "ü"}, task_id="t1")) == TaskMessage("t1", "tasks.accept", ({"kind": "ü"},), {})


@pytest.mark.parametrize("protocol", [1, 2])
@pytest.mark.parametrize("compression", [None, "zlib", "bzip2", "lzma"])
def test_each_protocol_and_compression_is_read(sent, protocol, compression):
    message = sent({"kind": "ü"}, conf={"task_protocol": protocol}, task_id="t1", compression=compression)
    assert read(message) == TaskMessage("t1", "tasks.accept", ({"kind": "ü"},), {})


def test_protocol_1_says_when_and_what_afterwards(sent):
    later = datetime(2101, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=1)))
    found = read(sent({}, conf={"task_protocol": 1}, eta=later, expires=later, link=signature("other")))
    assert (found.not_before(), found.not_after(), found.afterwards) == (later, later, ("callbacks",))


TYPED = {
    "when": (datetime(2026, 11, 28, 9, tzinfo=UTC), "2026-11-28T09:00:00+00:00"),
    "day": (date(2026, 11, 28), "2026-11-28"),
    "time": (time(9, 30), "09:30:00"),
    "amount": (Decimal("19.90"), "19.90"),
    "id": (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    "text": (b"words", "words"),
    "bytes": (b"\xff", "/w=="),
}


def test_a_value_that_carries_its_type_is_the_value(sent):
    found = read(sent({name: value for name, (value, _) in TYPED.items()})).argument
    assert found == {name: plain for name, (_, plain) in TYPED.items()}


@pytest.mark.parametrize("kind", ["none of kombu's", "datetime", ["decimal"]])
def test_a_type_of_the_senders_own_is_told(kind):
    with pytest.raises(UnreadableMessage, match="carries its type"):
        read(message(arguments=[{"at": {"__type__": kind, "__value__": "SECRET"}}]))


@pytest.mark.parametrize(
    ("content_type", "named"),
    [
        ("application/x-python-serialize", "pickle"),
        ("application/x-yaml", "yaml"),
        ("application/x-msgpack", "msgpack"),
        ("SECRET", "another one"),
        (7, "another one"),
    ],
)
def test_only_json_is_decoded(monkeypatch, content_type, named):
    monkeypatch.setattr("pickle.loads", lambda *_: pytest.fail("a pickle is code"))
    pickled = base64.b64encode(pickle.dumps(([{"kind": "x"}], {}, {}))).decode()
    with pytest.raises(UnreadableMessage, match=f"its content type is {named}, not application/json"):
        read(envelope(pickled, **{"content-type": content_type}))


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", None])
def test_json_by_another_spelling_is_json(content_type):
    body = base64.b64encode(b'[[{"kind": "x"}], {}, {}]').decode()
    assert read(envelope(body, **{"content-type": content_type})).argument == {"kind": "x"}


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-16", "latin-1", "iso-8859-1", "cp1252", "binary", None])
def test_the_encoding_that_it_names_is_the_one_it_is_read_in(encoding):
    codec = "utf-8" if encoding in (None, "binary") else encoding
    body = base64.b64encode('[[{"kind": "ü"}], {}, {}]'.encode(codec)).decode()
    assert read(envelope(body, **{"content-encoding": encoding})).argument == {"kind": "ü"}


@pytest.mark.parametrize("encoding", ["rot13", "idna", "zip", "none at all", "\0"])
def test_another_encoding_is_told(encoding):
    with pytest.raises(UnreadableMessage, match="content encoding is not known here"):
        read(envelope(base64.b64encode(b"[[{}], {}, {}]").decode(), **{"content-encoding": encoding}))


def test_a_byte_order_mark_and_lines_of_base64_are_read():
    body = base64.encodebytes(b"\xef\xbb\xbf" + json.dumps([[{"kind": "x" * 200}], {}, {}]).encode()).decode()
    assert "\n" in body.strip()
    assert read(envelope(body)).argument == {"kind": "x" * 200}


def test_a_bomb_is_refused_before_it_is_unpacked():
    body = base64.b64encode(zlib.compress(bytes(200 * 1024 * 1024))).decode()
    tracemalloc.start()
    with pytest.raises(UnreadableMessage, match="unpacked, its body has more than 16777216 bytes"):
        read(envelope(body, headers={"id": "i1", "task": "tasks.accept", "compression": "application/x-gzip"}))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50 * 1024 * 1024


@pytest.mark.parametrize(
    ("eta", "meant"),
    [
        ("2026-11-22T09:00:00+01:00", datetime(2026, 11, 22, 8, tzinfo=UTC)),
        ("2026-11-22T09:00:00Z", datetime(2026, 11, 22, 9, tzinfo=UTC)),
        ("2026-11-22T09:00:00.5", datetime(2026, 11, 22, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("20261122T0900", datetime(2026, 11, 22, 9, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_a_time_is_read_as_celery_reads_it(eta, meant):
    assert read(message(eta=eta)).not_before() == meant
    assert read(message(expires=eta)).not_after() == meant


@pytest.mark.parametrize("eta", ["SECRET", "tomorrow", 1_800_000_000, ["2026"], {}, True, "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_told(eta):
    with pytest.raises(UnreadableMessage, match=r"its eta is not a time in ISO 8601$"):
        read(message(eta=eta)).not_before()


def test_a_time_in_an_unknown_zone_is_told():
    body = {"task": "tasks.accept", "id": "i1", "args": [{}], "kwargs": {}, "eta": "2026-11-22T09:00:00", "utc": False}
    with pytest.raises(UnreadableMessage, match="no time zone"):
        read(envelope(base64.b64encode(json.dumps(body).encode()).decode(), headers={})).not_before()


def test_what_is_nested_deeply_is_cut_so_that_the_event_says_which_part_of_it_is_too_deep():
    body = b'[[{"kind": "x", "deep": ' + b"[" * 3000 + b"]" * 3000 + b', "after": 1}], {}, {}]'
    value = read(envelope(base64.b64encode(body).decode())).argument
    assert (value["kind"], value["after"]) == ("x", 1)
    levels, inner = 0, value["deep"]
    while inner:
        levels, inner = levels + 1, inner[0]
    assert 150 < levels <= 200


@pytest.mark.parametrize(
    "wrong",
    ["", "SECRET", "[]", "{}", json.dumps({"body": "SECRET", "headers": {}, "properties": {}}), message(id=7)],
)
def test_what_is_no_such_message_is_refused_without_its_content(wrong):
    with pytest.raises(UnreadableMessage) as caught:
        read(wrong)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("arguments", [(), ("SECRET", "SECRET")])
def test_another_number_of_arguments_is_no_event(arguments):
    with pytest.raises(UnreadableMessage, match="exactly one argument"):
        _ = read(message(arguments=arguments)).argument


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_nothing_else_comes_out(text):
    with contextlib.suppress(UnreadableMessage):
        read(text)


def test_another_encoding_of_the_body_is_refused():
    with pytest.raises(UnreadableMessage, match="its body_encoding is not base64"):
        read(envelope("eA==", properties={"body_encoding": "base32"}))


def test_a_body_that_kombu_has_as_text_is_read():
    received = SimpleNamespace(
        body=json.dumps([[{"kind": "ü"}], {}, {}]),
        content_type="application/json",
        content_encoding="utf-8",
        headers={"id": "i1", "task": "tasks.accept"},
        properties={},
        errors=[],
    )
    assert read(text_of(received)).argument == {"kind": "ü"}


@pytest.mark.parametrize("content", [{"args": 7}, {"args": [], "kwargs": 7}])
def test_arguments_of_protocol_1_that_are_none_are_refused(content):
    body = base64.b64encode(json.dumps({"task": "tasks.accept", "id": "i1", **content}).encode()).decode()
    with pytest.raises(UnreadableMessage):
        read(envelope(body, headers={}))


def test_a_body_that_kombu_could_not_unpack_is_read_as_it_came():
    packed = zlib.compress(json.dumps([[{"kind": "ü"}], {}, {}]).encode())
    received = SimpleNamespace(
        body=packed,
        content_type="application/json",
        content_encoding="utf-8",
        headers={"id": "i1", "task": "tasks.accept", "compression": "application/x-gzip"},
        properties={},
        errors=[ValueError("not unpacked")],
    )
    assert read(text_of(received)).argument == {"kind": "ü"}


@pytest.mark.parametrize(
    ("body", "reason"), [(7, "its body is not a text"), ("/w==", "its body is not the text in utf-8")]
)
def test_a_body_that_is_no_text_is_refused(body, reason):
    with pytest.raises(UnreadableMessage, match=reason):
        read(envelope(body))
