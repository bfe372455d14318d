"""An iterator over notices remembers where it is: over pages, errors and crashes of its reader."""

from __future__ import annotations

import itertools
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from parley_client import BadAnswer, Unauthenticated, Unavailable
from tests.http_server import Handler, serving


def document(number):
    """A notice as the ingress shows it."""
    return {
        "id": f"n-{number}",
        "type": "parley.event.answered",
        "time": "2026-11-29T10:00:00.123Z",
        "persona": "ava",
        "target": "@john",
        "sequence": number,
        "event_id": f"m-{number}",
        "kind": "inbound_chat",
        "fate": "answered",
        "cause": None,
        "attempts": {"asked": 1, "sent": 1},
        "accepted_at": "2026-11-29T10:00:00Z",
        "ended_at": "2026-11-29T10:00:01Z",
        "joined": None,
        "of_a_newer_release": [1],
    }


class Stream:
    """Notices behind an address: the cursor is how many were read, with characters that an address must not have."""

    def __init__(self):
        self.notices = []
        self.asked = []
        self.dropped = 0
        self.failures = []
        self.grow = lambda: None

    def page(self, query):
        self.asked.append(query)
        self.grow()
        first = int(query["after"].strip("&=/ é")) if "after" in query else 0
        found = self.notices[first : first + int(query["limit"])]
        dropped, self.dropped = self.dropped, 0
        return {"notices": found, "cursor": f"&=/ é{first + len(found)}", "dropped": dropped}


@pytest.fixture
def stream():
    return Stream()


@pytest.fixture
def address(stream):
    """A server that shows the stream."""

    class Notices(Handler):
        def respond(self) -> None:
            parts = urlsplit(self.path)
            assert parts.path == "/v1/notices"
            if stream.failures:
                status, body = stream.failures.pop(0)
                self.answer(status, body, {"Content-Type": "application/problem+json"})
                return
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.answer(200, json.dumps(stream.page(query)).encode())

    with serving(Notices) as origin:
        yield origin


def test_all_notices_come_once_in_order_over_pages(connect, address, stream):
    stream.notices = [document(number) for number in range(25)]
    notices = connect(address).notices(limit=10)
    assert [notice.sequence for notice in notices] == list(range(25))
    assert [query.get("after") for query in stream.asked] == [None, "&=/ é10", "&=/ é20", "&=/ é25"]
    assert {query["limit"] for query in stream.asked} == {"10"}


def test_a_notice_has_its_members(connect, address, stream):
    stream.notices = [document(7), {"id": "n-8", "type": "parley.persona.of_a_newer_release"}]
    first, second = connect(address).notices()
    assert (first.event_id, first.fate, first.attempts.asked, first.ended_at.second) == ("m-7", "answered", 1, 1)
    assert (second.type, second.target) == ("parley.persona.of_a_newer_release", None)


def test_it_ends_when_nothing_is_new_and_goes_on_later(connect, address, stream):
    stream.notices = [document(0)]
    notices = connect(address).notices()
    assert [notice.id for notice in notices] == ["n-0"]
    assert list(notices) == []
    stream.notices.append(document(1))
    assert [notice.id for notice in notices] == ["n-1"]


def test_with_wait_it_goes_on_for_ever(connect, address, stream):
    def grow():
        if len(stream.asked) % 2 == 0:
            stream.notices.append(document(len(stream.notices)))

    stream.grow = grow
    notices = connect(address).notices(wait=1)
    assert [notice.sequence for notice in itertools.islice(notices, 3)] == [0, 1, 2]
    assert {query["wait"] for query in stream.asked} == {"1"}


def test_the_cursor_is_behind_what_was_read_and_no_further(connect, address, stream):
    stream.notices = [document(number) for number in range(5)]
    notices = connect(address).notices(limit=3)
    assert notices.cursor is None
    next(notices), next(notices)
    # A reader that ends here has not dealt with the third one: all of the page comes again.
    assert notices.cursor is None
    next(notices), next(notices)
    assert notices.cursor == "&=/ é3"
    again = connect(address).notices(after=notices.cursor)
    assert [notice.sequence for notice in again] == [3, 4]


def test_an_empty_page_whose_cursor_has_moved_is_not_the_end(connect, address, stream):
    # What the source may not see lies between.
    pages = [([], "a"), ([], "b"), ([document(1)], "c"), ([], "c")]
    stream.page = lambda query: dict(zip(("notices", "cursor"), pages.pop(0), strict=True))
    notices = connect(address).notices()
    assert [notice.sequence for notice in notices] == [1]
    assert (notices.cursor, pages) == ("c", [])


def test_an_error_leaves_the_place_as_it_was(connect, address, stream):
    stream.notices = [document(number) for number in range(4)]
    notices = connect(address, retry_seconds=0).notices(limit=2)
    next(notices), next(notices)
    stream.failures = [(503, b'{"type": "/problems/store-unreachable"}'), (401, b"{}")]
    with pytest.raises(Unavailable):
        next(notices)
    with pytest.raises(Unauthenticated):
        next(notices)
    assert [notice.sequence for notice in notices] == [2, 3]


def test_what_was_dropped_before_it_was_read_is_counted(connect, address, stream):
    stream.notices, stream.dropped = [document(0)], 17
    notices = connect(address).notices()
    assert (len(list(notices)), notices.dropped) == (1, 17)


@pytest.mark.parametrize(
    "page", [{"notices": [document(0)], "cursor": "c"}, {"notices": "none", "cursor": "d"}, {"cursor": "d"}, []]
)
def test_a_page_that_cannot_be_right_is_an_error_and_no_endless_loop(connect, address, stream, page):
    stream.page = lambda query: page
    with pytest.raises(BadAnswer):
        next(connect(address).notices(after="c"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"after": ""}, "after"),
        ({"after": 5}, "after"),
        ({"limit": 0}, "limit"),
        ({"limit": "9"}, "limit"),
        ({"wait": -1}, "wait"),
        ({"wait": 0.5}, "wait"),
        ({"limit": 1001}, "limit"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(connect, options, named):
    with pytest.raises(ValueError, match=named):
        connect("http://127.0.0.1:9").notices(**options)
