"""What docs/producers.md shows is run, not only read."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from config.settings import load
from simulation.servers.system import RunningSystem
from worker.domain.conversation import Conversation
from worker.domain.refusals import UnknownPersona
from worker.store import Store

GUIDE = (Path(__file__).parents[2] / "docs" / "producers.md").read_text(encoding="utf-8")
JOHN = Conversation("ava", "@john_doe")


def blocks(language: str) -> list[str]:
    """The code blocks of the guide in one language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def environment(monkeypatch, tmp_path, redis_server):
    """The settings that the guide's reader has, and no ``.env`` of the developer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_REDIS_URL", redis_server.url)
    monkeypatch.setenv("PARLEY_CAPTIVATE__ENVIRONMENT", "dev")
    monkeypatch.setenv("PARLEY_PERSONAS__AVA__API_KEY", "ft_sk_ava")


def test_the_python_of_the_guide_runs_and_does_what_it_says(environment, store, capsys):
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "docs/producers.md", "exec"), names)
    names["producer"].close()
    first, *many = capsys.readouterr().out.splitlines()
    assert f"print(receipt)  # {first}\n" in GUIDE
    assert len(many) == 3
    assert isinstance(names["results"][1], UnknownPersona)
    shard = store.keys.of(JOHN)
    waiting = store.redis.lrange(shard.inbox(JOHN), 0, -1)
    kinds = [store.redis.hget(shard.journal(JOHN, event_id), "kind") for event_id in waiting]
    assert kinds == ["inbound_chat", "event_trigger", "follow_up", *["inbound_chat"] * 4]
    assert waiting[-2:] == ["request-17", "request-17#2"]


@pytest.mark.acceptance
def test_a_message_made_by_hand_is_answered_by_a_real_worker(monkeypatch, eventually):
    event, message = (json.loads(block) for block in blocks("json"))
    empty = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    message["body"] = base64.b64encode(json.dumps([[event], {}, empty]).encode()).decode()
    with RunningSystem(settings={"PARLEY_JOIN__SETTLE_SECONDS": "0"}) as system:
        for name, value in system.environment.items():
            monkeypatch.setenv(name, value)
        store = Store(load(env_file=None), connections=2)
        store.redis.lpush("accept", json.dumps(message))
        session_id = event["channel"]["session_id"]
        deliveries = eventually(lambda: system.upstreams.deliveries(session_id), "the answer")
        (account,) = store.books.accounts()
        store.close()
    assert deliveries[0].messages[0]["type"] == "text"
    assert account.accepted == 1
