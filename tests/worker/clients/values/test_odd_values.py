"""Single values as platforms and upstreams send them."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clients.values.odd_values import MAX_LINK, UnusableLink, flag_of, link_of, text_of

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.binary()


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("", ""), (7, "7"), (-1, "-1"), (1.5, "1.5"), (True, None), (None, None), (["a"], None),
     (math.nan, None), (math.inf, None), (10**400, None)],
)  # fmt: skip
def test_a_number_is_its_digits_as_text(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), (False, False), (1, True), (0, False), (0.0, False), ("TRUE", True), (" no ", False), ("1", True),
     (2, None), ("", None), ("maybe", None), (None, None), ([], None), (math.nan, None), (10**400, None)],
)  # fmt: skip
def test_a_flag_is_read_when_it_has_one_meaning(value, flag):
    assert flag_of(value) is flag


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("https://x.test/a.jpg?b=1#c", "https://x.test/a.jpg?b=1#c"),
        ("HTTP://x.test:8080/a", "http://x.test:8080/a"),
        ("\thttps://x.test/a b\u00a0c?d= e\n", "https://x.test/a%20b%C2%A0c?d=%20e"),
        ("https://x.test/%20ä", "https://x.test/%20ä"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
    ],
)
def test_a_link_is_mended(value, link):
    assert link_of(value) == link == link_of(link)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("//x.test/a", "relative"),
        ("www.x.test/a", "relative"),
        ("javascript:alert(1)", "neither http nor https"),
        ("https:/x.test/a", "neither http nor https"),
        ("https://", "names no host"),
        ("https://?a", "names no host"),
        ("https://x .test/a", "names no host"),
        ("https://x.test\\@y.test/a", "names no host"),
        ("https://x.test:99999/a", "names no host"),
        ("https://[::1/a", "names no host"),
        ("https://x.test/\x00", "control character"),
        ("https://x.test/" + " " * 4000 + "a", "longer than"),
        (b"https://x.test/a", "is no JSON value"),
    ],
)
def test_a_link_that_cannot_be_used_has_a_reason(value, reason):
    with pytest.raises(UnusableLink, match=reason):
        link_of(value)


@given(ANYTHING | st.text().map("https://".__add__) | st.text().map("HTTP://x.test/".__add__))
def test_a_link_is_usable_or_refused(value):
    try:
        link = link_of(value)
    except UnusableLink:
        return
    assert link.startswith(("http://", "https://"))
    assert len(link) <= MAX_LINK
    assert not any(character.isspace() for character in link)
    assert urlsplit(link).hostname
    link.encode()
