"""The store is killed while notices are sent: they wait, and none is left out or overtaken."""

from __future__ import annotations

import logging

import pytest

from simulation.servers.embedded_redis import EmbeddedRedis
from tests.notice_receiver import slowly

LEADS = [f"@lead{number}" for number in range(10)]


@pytest.fixture(scope="module")
def redis_server():
    """One of our own: nobody else wants one that dies."""
    with EmbeddedRedis() as server:
        yield server


def test_a_store_that_dies_and_comes_back_loses_no_notice(
    redis_server, push, configured, make_receiver, note, stored, store, eventually, caplog
):
    caplog.set_level(logging.INFO, "parley")
    receiver = make_receiver(slowly(0.02))
    noted = sum(note(20, lead) for lead in LEADS)
    push(configured({"crm": receiver}))
    eventually(lambda: len(receiver.got) > 20, "it has begun")
    redis_server.kill()
    eventually(lambda: "notices wait for the store, those to crm" in caplog.text, "the log says so")
    redis_server.restart()

    def all_have_arrived():
        return sum(len(receiver.sequences(f"ava/{lead}")) for lead in LEADS) == noted

    eventually(all_have_arrived, "all arrive")
    assert all(receiver.sequences(f"ava/{lead}") == stored()[f"ava/{lead}"] for lead in LEADS)
    eventually(lambda: store.endpoints.behind(store.endpoints.state("crm")) == 0, "its place is stored")
    assert "notices go on, those to crm" in caplog.text
    state = store.endpoints.state("crm")
    assert (state.dropped, state.lost) == (0, 0)
