"""What the pages say, and what they keep for themselves."""

from __future__ import annotations

import logging
import re

from worker.domain.conversation import Conversation
from worker.store.operator.audit import Act

JOHN = Conversation("ava", "@john")


def test_the_overview_says_first_what_needs_a_person(desk, write, eventually):
    page = desk.browser("vera").get("/").text
    assert re.search(r"<h1[^>]*>2 things need you\.</h1>", page)
    assert "No worker is alive" in page
    write("@john")
    eventually(lambda: "1 event</a>" in desk.browser("vera").get("/").text, "what waits, at most a second late")


def test_conversations_are_found_and_no_address_says_by_what(desk, write):
    browser = desk.browser("vera")
    assert "No conversation is known yet" in browser.get("/conversations").text
    write("@john_doe")
    write("@mary", persona="bea")
    everything = browser.get("/conversations").text
    assert "@john_doe" in everything
    assert "@mary" in everything
    found = desk.post(browser, "/conversations", text="JOHN")
    assert found.status_code == 303
    page = browser.get(found.headers["location"]).text
    assert "@john_doe" in page
    assert "@mary" not in page
    assert "john" not in found.headers["location"].lower()
    assert not re.search(r'(href|action|data-live)="[^"]*(john|mary)', everything)
    only_bea = browser.get("/conversations?persona=bea&state=waiting").text
    assert "@mary" in only_bea
    assert "@john_doe" not in only_bea
    assert "No conversation matches" in browser.get("/conversations?state=sealed").text


def test_the_list_goes_on_page_by_page(desk, write):
    for number in range(60):
        write(f"@lead-{number}")
    browser = desk.browser("vera")
    first = browser.get("/conversations").text
    further = re.findall(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = browser.get(further).text
    seen = re.findall(r"@lead-\d+", first) + re.findall(r"@lead-\d+", second)
    assert sorted(seen) == sorted(f"@lead-{number}" for number in range(60))
    assert 'rel="next"' not in second


def test_a_conversation_says_why_there_is_no_answer(desk, write):
    write("@john")
    desk.store.personas.pause("ava", "new key on Monday")
    browser = desk.browser("vera")
    page = browser.get(desk.place(browser, "john")).text
    assert "persona ava is paused (new key on Monday)" in page
    assert '<span class="word">accepted</span>' in page
    assert "You may see what happened, not what was said" in page


def test_words_are_shown_after_a_trace_and_at_no_address(desk, write, caplog):
    caplog.set_level(logging.DEBUG)
    write("@john", "SECRET <b>words</b>")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    assert "SECRET" not in browser.get(place).text
    page = desk.post(browser, f"{place}/words")
    assert "SECRET &lt;b&gt;words&lt;/b&gt;" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert browser.get(f"{place}/words").status_code in (404, 405)
    (read, *_) = desk.store.audit.newest(1)
    assert (read.by, read.act, read.target) == ("kim", Act.READ, "@john")
    assert any(moment.word == "conversation read" for moment in desk.store.timeline.of(JOHN))
    assert "SECRET" not in caplog.text
    assert "data-live" not in page.text, "each update would be a reading"


def test_a_handle_is_text_whatever_is_in_it(desk, write):
    write('@<script>alert(1)</script>"')
    browser = desk.browser("vera")
    for page in (browser.get("/conversations").text, browser.get(desk.place(browser, "alert")).text):
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_every_answer_says_what_a_browser_may_do_with_it(desk):
    browser = desk.browser("vera")
    for answer in (browser.get("/"), browser.get("/nowhere"), browser.get("/login"), browser.get("/c/unknown")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?! src=\"/static/)|<style|\sstyle=|\son[a-z]+=", answer.text)
        assert not re.search(r'(src|href)="(https?:)?//', answer.text)
    assert browser.get("/nowhere").status_code == 404
    assert browser.get("/c/unknown").status_code == 404


def test_files_may_be_kept_for_ever_at_the_address_of_their_content(desk):
    client = desk.stranger()
    (address,) = re.findall(r'href="(/static/console\.css\?[^"]+)"', client.get("/login").text)
    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/console.css").headers["cache-control"] == "no-cache"
    assert client.get("/static/..%2Fpages.py").status_code == 404
    assert client.get("/static/none.css").status_code == 404


def test_a_refusal_leads_back_to_the_page_of_the_act(desk, write):
    write("@john")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    assert f'<a href="{place}">Back</a>' in browser.get(f"{place}/hand-back").text
    assert f'<a href="{place}">Back</a>' in desk.post(browser, f"{place}/hand-back").text
    assert '<a href="/personas">Back</a>' in browser.get("/personas/ava/resume").text
    assert ">Back<" not in browser.get("/c/unknown").text


def test_a_store_that_is_away_is_said_so(make_desk, monkeypatch):
    desk = make_desk()
    browser = desk.browser("vera")
    monkeypatch.setattr(desk.store.measures, "take", _away)
    answer = browser.get("/")
    assert (answer.status_code, "The store does not answer" in answer.text) == (503, True)


def _away(**_):
    from worker.store import StoreError

    raise StoreError("SECRET address")
