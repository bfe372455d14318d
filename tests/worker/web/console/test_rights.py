"""What each role may do, and what no other site can make a browser do."""

from __future__ import annotations

import pytest

from worker.web.console.pages import PAGES

ADDRESSES = [(method, path.replace("{place}", "x").replace("{word}", "x")) for method, path, _, _ in PAGES]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_no_page_is_for_strangers(desk, method, path):
    answer = desk.stranger().request(method, path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_the_token_of_a_producer_opens_nothing(make_desk, method, path):
    desk = make_desk()
    answer = desk.stranger().request(method, path, headers={"Authorization": "Bearer token-of-the-shop-0123456789"})
    assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", [path for method, path in ADDRESSES if method == "POST"])
def test_an_act_needs_the_token_of_its_session(desk, path):
    browser, other = desk.browser("kim"), desk.browser("kim")
    assert browser.post(path).status_code == 403
    assert browser.post(path, data={"token": desk.token(other)}).status_code == 403


@pytest.mark.parametrize("path", ["/login", "/logout", *(path for method, path in ADDRESSES if method == "POST")])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_what_another_site_sends_is_refused(desk, path, headers):
    browser = desk.browser("kim")
    data = {"token": desk.token(browser), "name": "kim", "password": "four calm words here"}
    answer = browser.post(path, data=data, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert "set-cookie" not in answer.headers


def test_who_may_only_look_reads_nothing(desk, write):
    write("@john", "SECRET words")
    for name in ("vera", "otto"):
        browser = desk.browser(name)
        place = desk.place(browser, "john")
        assert "Show the words" not in browser.get(place).text
        assert desk.post(browser, f"{place}/words").status_code == 403


def test_a_role_that_is_taken_away_is_gone_with_the_next_request(desk, write):
    write("@john")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    desk.put(("kim", ("viewer",)))
    assert desk.post(browser, f"{place}/words").status_code == 403
