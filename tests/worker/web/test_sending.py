"""Events of several requests that go to the store together."""

from __future__ import annotations

import logging

import pytest

from worker.domain.unexpected import UnexpectedErrors
from worker.pipeline.producer import Producer
from worker.web.problems import Problem
from worker.web.rates import Bucket
from worker.web.receipts import Receipts
from worker.web.sending import Asked, Door
from worker.web.sources import Source

SHOP, BANK = (Source(name, None, None, Bucket(1, 1), signs=False) for name in ("shop", "bank"))


class Broken(dict):
    """A value that an error of our own stumbles over."""

    def get(self, name, default=None):
        raise ZeroDivisionError("SECRET")


@pytest.fixture
def door(make_settings, store):
    unexpected = UnexpectedErrors(logging.getLogger("parley.ingress"), "ingress")
    return Door(Producer(make_settings(), store=store), Receipts(lambda: bytes(64)), unexpected)


def chat(number, **fields):
    channel = {"session_id": "s", "metadata": {}}
    common = {"kind": "inbound_chat", "persona": "ava", "target": "@john", "message": "hi", "channel": channel}
    return {**common, "event_id": f"m-{number}", **fields}


def test_each_source_gets_its_own_receipt_and_an_error_of_ours_takes_no_other_event_with_it(door, caplog):
    asked = [Asked(SHOP, chat(1), ""), Asked(SHOP, Broken(), ""), Asked(BANK, chat(1), ""), Asked(BANK, {}, "")]
    first, broken, again, refused = door.many(asked)
    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert first["receipt"] != again["receipt"]
    assert isinstance(broken, Problem)
    assert isinstance(refused, Problem)
    assert (broken.status, refused.status) == (500, 422)
    assert "ZeroDivisionError" in caplog.text
    assert "SECRET" not in caplog.text + str(broken.document())
