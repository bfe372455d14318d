"""What a server says of itself, as far as it may be asked."""

from __future__ import annotations

from redis.exceptions import ResponseError

from worker.store.redis.server_facts import facts


def test_a_server_that_does_not_answer_a_question_may_still_be_a_good_one(store, monkeypatch):
    """The command is renamed, or our user may not."""

    def refuse(*_):
        raise ResponseError("unknown command")

    monkeypatch.setattr(store.redis, "config_get", refuse)
    assert facts(store.redis).idle_seconds is None
    assert facts(store.redis).replicas == 0
