"""``parley find`` and ``parley conversations``, and what is said of a conversation of which nothing is known."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from worker.domain.conversation import Conversation
from worker.store import Store


@pytest.fixture
def leads(store, chat):
    """Three leads of ava who wrote, the last one last."""
    for target in ("@john_doe", "@Jane_Roe", "@mia"):
        store.inbox.accept(chat(f"e {target}".replace(" ", "-"), target=target))
    for at, target in enumerate(("@john_doe", "@Jane_Roe", "@mia"), 1_790_000_000_000):
        store.redis.zadd(store.keys.of(Conversation("ava", target)).conversations, {f"ava:{target}": at})


def targets(ended):
    return [row["target"] for row in json.loads(ended.out)["conversations"]]


class TestNothingIsKnown:
    """Status 1, and what may have been meant."""

    @pytest.mark.parametrize("typed", ["john_doe", "@John_Doe", "@jhon_doe", "@john_do"])
    def test_a_handle_that_is_nearly_right(self, parley, leads, typed):
        ended = parley("explain", "ava", typed)
        assert (ended.status, ended.out) == (1, "")
        assert ended.err.startswith("Nothing is known of this conversation")
        assert "Did you mean:\n  parley explain ava @john_doe\n" in ended.err

    def test_the_same_handle_with_another_persona(self, parley, leads):
        assert "  parley explain ava @mia\n" in parley("explain", "bea", "@mia").err

    @pytest.mark.parametrize(
        ("stored", "typed", "in_index"),
        [
            ("instagram/john_doe", "john_doe", False),
            ("instagram/@john_doe", "John_Doe", False),
            ("instagram/cleo_de/john_doe", "@john_doe", False),
            ("telegram/john_doe", "@john_doe", True),
            ("instagram/cleo_de/john_doe", "instagram/jhon_doe", True),
        ],
    )
    def test_a_handle_without_its_platform(
        self, parley, make_settings, redis_server, store, chat, monkeypatch, stored, typed, in_index
    ):
        cleo = {"api_key": "ftc_live_1", "platform": "instagram", "separate_accounts": "cleo_de"}
        for name, value in cleo.items():
            monkeypatch.setenv(f"PARLEY_PERSONAS__CLEO__{name.upper()}", value)
        with closing(Store(make_settings(redis_url=redis_server.url, personas={"cleo": cleo}))) as of_cleo:
            of_cleo.inbox.accept(chat("e1", persona="cleo", target=stored))
        if not in_index:
            store.redis.delete(*(shard.conversations for shard in store.keys.shards))
        assert f"  parley explain cleo {stored}\n" in parley("explain", "cleo", typed).err

    def test_a_persona_that_is_not_configured_is_named_with_the_near_one(self, parley, leads):
        said = parley("explain", "avaa", "@mia").err
        assert "There is no persona 'avaa' in these settings. Did you mean ava? Known: ava, bea." in said
        assert "  parley explain ava @mia\n" in said

    def test_nothing_near(self, parley, leads):
        ended = parley("explain", "ava", "@xxxxxxxx")
        assert ended.status == 1
        assert "Did you mean" not in ended.err

    def test_a_program_gets_json_and_the_status(self, parley, leads):
        ended = parley("explain", "ava", "john_doe", "--json")
        assert ended.status == 1
        assert json.loads(ended.out)["did_you_mean"] == [{"persona": "ava", "target": "@john_doe"}]

    def test_what_an_older_release_accepted_is_still_near(self, parley, store, leads):
        store.redis.delete(*(shard.conversations for shard in store.keys.shards))
        assert "  parley explain ava @john_doe\n" in parley("explain", "ava", "john_doe").err

    def test_a_handle_that_a_shell_would_read_otherwise_is_quoted(self, parley, store, chat):
        store.inbox.accept(chat("e1", target="--a b"))
        assert "  parley explain -- ava '--a b'\n" in parley("explain", "bea", "--", "--a b").err

    @pytest.mark.parametrize("command", ["claim", "hand-back", "seal", "unseal"])
    def test_the_commands_that_change_something_say_so_too(self, parley, leads, command):
        ended = parley(command, "ava", "john_doe")
        assert ended.status == 1
        assert f"  parley {command} ava @john_doe\n" in ended.err


class TestFind:
    """By a part of the handle."""

    def test_a_part_in_any_case(self, parley, leads):
        ended = parley("find", "JANE")
        assert ended.status == 0
        assert "@Jane_Roe" in ended.out
        assert "@john_doe" not in ended.out

    def test_the_newest_first_for_programs(self, parley, leads):
        assert [row["target"] for row in json.loads(parley("find", "o", "--json").out)] == ["@Jane_Roe", "@john_doe"]

    def test_not_found_is_a_no(self, parley, leads):
        assert parley("find", "zzz").status == 1
        ended = parley("find", "zzz", "--json")
        assert (ended.status, json.loads(ended.out)) == (1, [])
        assert parley("find", "john", "--persona", "bea").status == 1

    def test_a_whole_handle_is_found_that_an_older_release_accepted(self, parley, store, leads):
        store.redis.delete(*(shard.conversations for shard in store.keys.shards))
        ended = parley("find", "john_doe")
        assert ended.status == 0
        assert "before the upgrade" in ended.out


class TestConversations:
    """All, or those in a state, page by page."""

    def test_the_newest_first(self, parley, leads):
        assert targets(parley("conversations", "--json")) == ["@mia", "@Jane_Roe", "@john_doe"]

    def test_pages(self, parley, leads):
        first = parley("conversations", "--limit", "2", "--json")
        second = parley("conversations", "--limit", "2", "--json", "--after", json.loads(first.out)["next"])
        assert targets(first) + targets(second) == ["@mia", "@Jane_Roe", "@john_doe"]
        assert json.loads(second.out)["next"] is None
        assert "Add: --after 1790000000001:ava:@Jane_Roe" in parley("conversations", "--limit", "2").out

    def test_states(self, parley, store, leads, turn):
        turn("dead", "refused", "@john_doe")
        store.takeovers.claim(Conversation("ava", "@mia"), "kim")
        assert targets(parley("conversations", "--dead", "--json")) == ["@john_doe"]
        assert targets(parley("conversations", "--waiting", "--json")) == ["@mia", "@Jane_Roe"]
        assert targets(parley("conversations", "--waiting", "--taken-over", "--json")) == ["@mia"]
        assert targets(parley("conversations", "--paused", "--json")) == []
        store.personas.pause("ava", "kim")
        assert targets(parley("conversations", "--paused", "--json")) == ["@mia", "@Jane_Roe"]

    def test_a_person_reads_why_it_is_held(self, parley, store, leads):
        grant = store.steps.begin(Conversation("ava", "@mia"), "token")
        store.steps.hold(grant, 600, "persona_unavailable status=503", unknown=False)
        said = parley("conversations", "--held").out
        assert "held, in 10 min again: " in said
        assert "503" in said

    def test_none(self, parley, store):
        assert parley("conversations").out == "No conversation is known.\n"
        assert parley("conversations", "--dead").out == "No conversation matches.\n"

    def test_a_page_that_no_page_named(self, parley, store):
        ended = parley("conversations", "--after", "nonsense")
        assert ended.status == 2
        assert "--after" in ended.err
