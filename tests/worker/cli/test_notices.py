"""``parley notices``: list and show, and what ``parley status`` says of notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from worker.store import Store


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """An empty store whose workers keep notices; the command was not told so."""
    store = make_store(notices={"keep": True})
    store.notices.keep()
    return store


@pytest.fixture
def listed(parley: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """What the command lists with these options, for programs."""
    return lambda *options: json.loads(parley("notices", "list", *options, "--json").out)


def test_the_list_is_without_content_and_can_be_narrowed(parley, die, chat, turn, store, listed):
    die("a", detail="secret detail")
    die("b", "too_old", target="@other")
    # Of two shards only the time of a notice tells what was first.
    time.sleep(0.002)
    store.inbox.accept(chat("c"))
    turn()
    assert [each["event_id"] for each in listed()] == ["a", "b", "c"]
    assert [each["event_id"] for each in listed("--target", "@lead")] == ["a", "c"]
    assert [each["event_id"] for each in listed("--type", "dead", "--limit", "1")] == ["b"]
    assert listed("--persona", "bea") == listed("--since", "2100-01-01") == []
    assert len(listed("--since", "1h")) == 3
    lines = parley("notices", "list").out.splitlines()
    assert lines[0].split() == ["time", "(UTC)", "type", "persona", "target", "event", "cause", "notice"]
    assert lines[3].split()[2:7] == ["event.dead", "ava", "@other", "b", "too_old"]
    assert "secret" not in parley("notices", "list").out + json.dumps(listed())
    assert parley("notices", "list", "--persona", "bea").out == "No notices match.\n"


def test_one_is_shown_with_all_its_fields(parley, die, listed):
    die("a", "too_old")
    (notice,) = listed()
    shown = parley("notices", "show", notice["id"]).out
    assert {line.split()[0] for line in shown.splitlines()} == {
        *("notice", "type", "time", "persona", "target", "sequence", "event", "kind", "fate", "cause", "asked", "sent"),
        *("accepted", "ended"),
    }
    assert json.loads(parley("notices", "show", notice["id"], "--json").out) == notice


@pytest.mark.parametrize("name", ["x", "99-1-1", "00-1-1", "00-x", "-1-1-1"])
def test_one_that_is_not_there(parley, name):
    ended = parley("notices", "show", "--", name)
    assert (ended.status, ended.err) == (1, "There is no notice with this id, or it is no longer kept.\n")


def test_a_wrong_time_is_refused(parley):
    assert parley("notices", "list", "--since", "soon").status == 2


def test_a_command_follows_what_the_workers_have_said(parley, die, listed):
    die("a")
    assert parley("dead", "discard", "a", "ava", "@lead", answer="y").status == 0
    assert [each["type"] for each in listed()] == ["parley.event.dead", "parley.event.discarded"]


def test_the_status_tells_how_many_are_kept(parley, die):
    die("a")
    assert "notices kept" in parley("status").out
    told = json.loads(parley("status", "--json").out)["notices"]
    assert told["kept"] == 1
    assert told["bytes"] > 0


def test_where_notices_are_off_the_list_says_so(parley, store):
    store.redis.flushall()
    assert "PARLEY_NOTICES__KEEP=true" in parley("notices", "list").out
    assert json.loads(parley("status", "--json").out)["notices"] is None
