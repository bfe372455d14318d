"""What docs/client.md and the README of the client and of the project show in Python is run, with a real ingress."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulation.servers.embedded_redis import free_port
from worker.domain.conversation import Conversation

PROJECT = Path(__file__).parents[2]
TOKEN = "token-of-the-reader-0123456789"


def blocks(page):
    """The Python of a page."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def address(start_example, redis_server):
    """The ingress on a free port."""
    number = str(free_port())
    start_example(
        "-m",
        "worker.web",
        ready="ingress on",
        PARLEY_REDIS_URL=redis_server.url,
        PARLEY_PERSONAS="ava",
        PARLEY_INGRESS__PORT=number,
        PARLEY_METRICS__PORT="0",
        PARLEY_INGRESS__SOURCES__READER__TOKEN=TOKEN,
        PARLEY_NOTICES__KEEP="true",
    )
    return f"http://127.0.0.1:{number}"


@pytest.fixture
def run(address, make_store, monkeypatch):
    """Run blocks one after the other, as their reader would; returns their names."""
    monkeypatch.setenv("INGRESS_TOKEN", TOKEN)
    store = make_store(notices={"keep": True})
    store.notices.keep()

    def all_of(page, pieces):
        names = {}
        for piece in pieces:
            assert "http://127.0.0.1:8080" in pieces[0]
            if "client.notices()" in piece:
                answer(store)
            exec(compile(piece.replace("http://127.0.0.1:8080", address), page, "exec"), names)
        return names

    return all_of


def answer(store):
    """Give the first event of the page its fate, as a worker does."""
    store.steps.settle(store.steps.begin(Conversation("ava", "@john_doe"), "token"), "answered")


def test_the_page_prints_what_it_says(run, capsys):
    page = blocks("docs/client.md")
    names = run("docs/client.md", page)
    names["client"].close()
    # What a comment says that is printed: behind a print, or in lines of its own below a loop.
    said = [line for piece in page for line in re.findall(r"(?:print\(.*\)  |^)# (.*)", piece, re.MULTILINE)]
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(said)
    for line, expected in zip(printed, said, strict=True):
        assert line.startswith(expected.removesuffix("...").strip())


@pytest.mark.parametrize("page", ["clients/python/README.md", "README.md"])
def test_a_message_of_a_lead_is_an_event_and_is_known_again(run, page):
    names = run(page, blocks(page))
    said = [names["on_message"]("msg-1", "@john_doe", "hey", "lance_catcher_69c35e3e") for _ in range(2)]
    names["client"].close()
    assert said == ["msg-1 accepted, place 1", "msg-1 duplicate, place 1"]
