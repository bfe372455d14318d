"""Notices are pulled by a cursor: each once, what a source may see, at once when one comes, without content."""

from __future__ import annotations

import select
import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from simulation.until import until
from worker.domain.conversation import Conversation
from worker.domain.events import EventTrigger
from worker.store import Store
from worker.web.schemas import Notices, ProblemDocument

TOKEN, BANK = "token-of-the-shop-0123456789", "token-of-the-bank-0123456789"
CHAT = {"kind": "inbound_chat", "message": "hi SECRET", "channel": {"session_id": "session-SECRET", "metadata": {}}}


@pytest.fixture
def keeps(web: Any, make_store: Callable[..., Store]) -> Store:
    """The store of workers that keep notices, behind a web process that was not told so."""
    store = make_store(notices={"keep": True})
    store.notices.keep()
    return store


@pytest.fixture
def end(keeps: Store, web: Any) -> Callable[..., str]:
    """Send an event through the web process and give it its fate."""

    def run(persona: str = "ava", target: str = "@john", fate: str = "answered", **fields: Any) -> str:
        event = {**CHAT, "event_id": uuid.uuid4().hex, "persona": persona, "target": target, **fields}
        receipt = _patiently(lambda: web.post("/v1/events", event)).json()
        keeps.steps.settle(keeps.steps.begin(Conversation(persona, target), f"token {receipt['event_id']}"), fate)
        return str(receipt["event_id"])

    return run


@pytest.fixture
def pull(web: Any) -> Callable[..., Notices]:
    """Pull once, as a source."""

    def run(after: str = "", token: str | None = None, **query: Any) -> Notices:
        given = "&".join(f"{name}={value}" for name, value in {"after": after, **query}.items() if value != "")
        answer = _patiently(lambda: web.get(f"/v1/notices?{given}", **({"token": token} if token else {})))
        assert answer.status_code == 200, answer.text
        assert "SECRET" not in answer.text
        return Notices.model_validate(answer.json())

    return run


def _patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask again while the store does not answer in time, as on a machine that is busy with other tests."""

    def answered() -> httpx.Response | None:
        answer = ask()
        return None if answer.status_code == 503 else answer

    return until(answered, "the store answers", seconds=120, pause_seconds=1)


def ids(pulled: Notices) -> list[str | None]:
    return [each.event_id for each in pulled.notices]


def test_each_notice_comes_once_in_order_from_page_to_page(end, pull):
    sent = [end(target=f"@lead{number % 3}") for number in range(7)]
    found, after = [], ""
    while page := pull(after, limit=2):
        assert page.dropped == 0
        found += page.notices
        after = page.cursor
        if not page.notices:
            break
    assert sorted(each.event_id or "" for each in found) == sorted(sent)
    first = found[0]
    assert (first.type, first.persona, first.kind, first.fate) == (
        "parley.event.answered",
        "ava",
        "inbound_chat",
        "answered",
    )
    for target in {each.target for each in found}:
        numbers = [each.sequence for each in found if each.target == target]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert pull(after).cursor == after


def test_a_source_sees_only_personas_and_kinds_that_it_may_send(end, pull, keeps):
    seen = end("bea", "@john")
    end("ava", "@john")
    keeps.inbox.accept(_trigger("bea"))
    keeps.steps.settle(keeps.steps.begin(Conversation("bea", "@shop"), "t"), "answered")
    keeps.personas.pause("bea", "why SECRET")
    keeps.personas.pause("ava", "why SECRET")
    page = pull(token=BANK)
    assert [(each.type, each.persona, each.event_id) for each in page.notices] == [
        ("parley.event.answered", "bea", seen),
        ("parley.persona.held", "bea", None),
    ]
    assert len(pull().notices) == 5


def test_a_source_that_sees_few_of_them_gets_on(end, pull):
    for number in range(12):
        end("ava", f"@lead{number}")
    seen = end("bea")
    assert ids(pull(token=BANK, limit=1)) == [seen]


def test_who_waits_is_answered_when_a_notice_comes(end, pull):
    end()
    after = pull().cursor
    with ThreadPoolExecutor(8) as readers:
        # The client itself waits 30 s for an answer: who is not woken fails.
        waiting = [readers.submit(pull, after, wait=60) for _ in range(8)]
        sent = end()
        assert [ids(each.result()) for each in waiting] == [[sent]] * 8


def test_those_who_wait_hold_no_thread(web, end, pull):
    """Of more readers than the process has threads none is answered before there is something, and all others are."""
    after = pull().cursor
    host, port = web.origin.removeprefix("http://").split(":")
    asked = f"GET /v1/notices?after={after}&wait=60 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    with ExitStack() as stack:
        readers = [stack.enter_context(socket.create_connection((host, int(port)), timeout=30)) for _ in range(60)]
        for each in readers:
            each.sendall(asked.encode())
        assert web.post("/v1/events", {**CHAT, "persona": "ava", "target": "@other"}).status_code == 202
        assert select.select(readers, [], [], 0)[0] == []
        sent = end()
        for each in readers:
            assert sent in _answer(each)


def test_who_waits_for_nothing_is_answered_in_time(end, pull):
    after = pull().cursor
    began_at = time.monotonic()
    page = pull(after, wait=1)
    assert time.monotonic() - began_at >= 1
    assert (page.notices, page.cursor, page.dropped) == ([], after, 0)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "ä", "a" * 9000, "..%2F.."])
def test_what_is_no_cursor_is_refused(web, keeps, cursor):
    answer = web.get(f"/v1/notices?after={cursor}")
    assert (answer.status_code, ProblemDocument.model_validate(answer.json()).type) == (400, "/problems/unknown-cursor")


def test_a_cursor_is_its_source_s_own(web, pull, keeps):
    cursor = pull(token=BANK).cursor
    assert web.get(f"/v1/notices?after={cursor}").json()["type"] == "/problems/unknown-cursor"
    assert pull(cursor, token=BANK).cursor == cursor


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "wait=61", "wait=-1", "wait=1.5", "SECRET=1"])
def test_a_query_that_cannot_be_used_is_refused_without_repeating_it(web, keeps, query):
    answer = web.get(f"/v1/notices?{query}")
    assert (answer.status_code, ProblemDocument.model_validate(answer.json()).type) == (400, "/problems/query")
    assert "SECRET" not in answer.text


def test_only_sources_get_them(web, keeps):
    assert web.get("/v1/notices", token=None).status_code == 401


def test_where_notices_are_off_the_reader_is_told(web, store):
    assert web.get("/v1/notices").json()["type"] == "/problems/notices-off"


def _trigger(persona: str) -> EventTrigger:
    return EventTrigger(persona=persona, target="@shop", event_type="story", channel=CHAT["channel"])


def _answer(reader: socket.socket) -> str:
    text = ""
    while '"dropped"' not in text:
        text += reader.recv(65_536).decode()
    return text
