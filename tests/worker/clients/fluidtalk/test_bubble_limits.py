"""An answer of thousands of messages becomes few, in both APIs; what fits goes out, and the rest is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from worker.clients.fluidtalk import Bubble, CharacterReply, Characters, FluidTalk
from worker.clients.fluidtalk.bubble_limits import MOST_BUBBLES, MOST_JOINED_CHARACTERS, few, joined

LEAD = {"platform": "instagram", "handle": "mark"}
PHOTO = {"image_url": "https://i.test/1"}


@pytest.fixture
def client(server: Any) -> Iterator[Characters]:
    with Characters("ftc_live_1", base_url=server.url) as client:
        yield client


def numbered(first: int, last: int) -> list[str]:
    return [f"text {number}" for number in range(first, last + 1)]


def reply(server: Any, client: Characters, bubbles: list[Any]) -> CharacterReply:
    server.answers(200, {"data": {"bubbles": bubbles}})
    return client.chat(**LEAD, message="hi")


def test_up_to_the_limit_all_stay_as_they_are() -> None:
    assert few(numbered(1, MOST_BUBBLES)) == (numbered(1, MOST_BUBBLES), 0)
    assert few([]) == ([], 0)


def test_those_beyond_are_joined_into_the_last_one() -> None:
    texts, left_out = few(numbered(1, 150))
    assert (texts[:-1], texts[-1], left_out) == (numbered(1, 99), "\n".join(numbered(100, 150)), 0)


def test_what_would_make_it_too_long_is_left_out_up_to_the_end() -> None:
    half = "x" * (MOST_JOINED_CHARACTERS // 2)
    assert joined(["first", half, half, "last"]) == (f"first\n{half}", 2), "no text takes the place of one before it"
    assert joined(["", "first", "", "last"]) == ("first\nlast", 2)


def test_a_text_that_came_as_one_is_never_cut() -> None:
    long = "x" * (MOST_JOINED_CHARACTERS * 3)
    assert joined([long, "more"]) == (long, 1)


def test_a_joined_text_has_at_most_the_limit() -> None:
    text, left_out = joined("a" for _ in range(200_000))
    assert len(text) == MOST_JOINED_CHARACTERS - 1
    assert left_out + (len(text) + 1) // 2 == 200_000


def test_a_reply_of_thousands_of_bubbles_is_few(server: Any, client: Characters) -> None:
    found = reply(server, client, ["a"] * 200_000)
    assert len(found.bubbles) == MOST_BUBBLES
    assert found.bubbles[-1].text == "\n".join("a" * 5000)
    assert [str(each) for each in found.left_out] == [
        f"bubbles: {200_000 - 99 - 5000} of them, an answer is at most 100 messages"
    ]


def test_a_reply_that_fits_when_it_is_joined_loses_nothing(server: Any, client: Characters) -> None:
    found = reply(server, client, [*numbered(1, 99), {"text": "text 100", "delay_ms": 70}, None, "text 101"])
    assert found.bubbles == [*map(Bubble, numbered(1, 99)), Bubble("text 100\ntext 101", 70)]
    assert found.left_out == ()
    assert reply(server, client, numbered(1, 100)).bubbles == [*map(Bubble, numbered(1, 100))]


def test_a_photo_beyond_is_left_out_and_counts(server: Any, client: Characters) -> None:
    found = reply(server, client, [*numbered(1, 98), PHOTO, PHOTO, "text 101", PHOTO, "text 103"])
    assert found.bubbles[97:] == [Bubble("text 98"), Bubble("", None, PHOTO["image_url"]), Bubble("text 101\ntext 103")]
    assert [part for part, _ in found.left_out] == ["bubbles"]
    assert found.left_out[0].reason.startswith("2 of them")
    photos = reply(server, client, [PHOTO] * 150)
    assert (len(photos.bubbles), photos.left_out[0].reason[:2]) == (99, "51")


def test_a_follow_up_of_thousands_of_parts_is_few(server: Any, client: Characters) -> None:
    item = {"handle": "mark", "message": "|||".join(["a"] * 20_000)}
    server.answers(200, {"data": {"followups": [{"id": "1", **item}, {"id": "2", "handle": "eve", "message": "hi"}]}})
    long, short = client.followups.list(platform="instagram")
    assert (len(long.bubbles), len(long.bubbles[-1])) == (MOST_BUBBLES, MOST_JOINED_CHARACTERS - 1)
    assert long.left_out[0].reason.startswith(f"{20_000 - 99 - 5000} of them")
    assert (short.bubbles, short.left_out) == (["hi"], ())


@pytest.mark.parametrize("field", ["replies", "reply"])
def test_the_handshake_api_has_the_same_limit(server: Any, fluidtalk: FluidTalk, field: str) -> None:
    server.answers(200, {field: [*numbered(1, 99), "", *["a"] * 20_000]})
    result = fluidtalk.inbound_chat("@lead", "hi")
    assert (result.replies[:-1], result.replies[-1]) == (numbered(1, 99), "\n".join("a" * 5000))
    assert [str(each) for each in result.left_out] == [f"{field}: 15000 of them, an answer is at most 100 messages"]


def test_of_thousands_of_odd_parts_few_are_named(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, {"replies": ["hi", *[[]] * 20_000]})
    result = fluidtalk.inbound_chat("@lead", "hi")
    assert (result.replies, len(result.left_out)) == (["hi"], 10)
