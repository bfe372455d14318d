"""A doorbell made by hand is what Celery itself would have sent, and says nothing but the conversation."""

from __future__ import annotations

import base64
import json
from contextlib import closing

from config.addresses import parse
from config.settings import Privacy, Tls
from worker.domain.conversation import Conversation
from worker.domain.handles import Handles
from worker.store.queues.broker import Broker
from worker.store.queues.doorbells import BrokerDoorbells, StoreDoorbells

CONVERSATION = Conversation("ava", "@lead")
PLAIN = Handles(Privacy())
HASHED = Handles(Privacy(handles="hashed", handle_key="a key of sixteen"))


def test_a_doorbell_names_the_conversation_and_nothing_else():
    message = json.loads(StoreDoorbells(None, PLAIN).message(CONVERSATION, "turns"))
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == (["ava", "@lead"], {})
    assert message["headers"]["task"] == "tasks.turn"


def test_what_is_shown_of_it_can_be_a_hash_and_what_it_is_for_stays():
    message = json.loads(StoreDoorbells(None, HASHED).message(CONVERSATION, "turns"))
    assert message["headers"]["argsrepr"] == f"('ava', '{HASHED.hash_of('@lead')}')"
    assert json.loads(base64.b64decode(message["body"]))[0] == ["ava", "@lead"]
    shown = json.loads(StoreDoorbells(None, PLAIN).message(CONVERSATION, "turns"))
    assert shown["headers"]["argsrepr"] == "('ava', '@lead')"


def test_it_has_the_fields_of_a_message_that_celery_sends(redis_server, store):
    from celery import Celery

    app = Celery(broker=redis_server.url, set_as_current=False)
    app.send_task("tasks.turn", args=["ava", "@lead"], queue="turns", ignore_result=True)
    theirs = json.loads(store.redis.rpop("turns"))
    app.close()
    ours = json.loads(StoreDoorbells(None, PLAIN).message(CONVERSATION, "turns"))
    assert set(ours) == set(theirs)
    assert set(ours["headers"]) <= set(theirs["headers"])
    assert set(ours["properties"]) == set(theirs["properties"])
    assert json.loads(base64.b64decode(ours["body"])) == json.loads(base64.b64decode(theirs["body"]))


def test_through_another_broker_the_same_message_arrives(redis_server, store):
    broker = Broker(parse(redis_server.url), Tls())
    with closing(BrokerDoorbells(broker, PLAIN)) as doorbells:
        doorbells.ring([(CONVERSATION, "outreach")])
    message = json.loads(store.redis.rpop("outreach"))
    assert json.loads(base64.b64decode(message["body"]))[0] == ["ava", "@lead"]
    assert message["headers"]["task"] == "tasks.turn"


def test_a_broker_that_is_away_is_left_to_the_agenda(caplog):
    broker = Broker(parse("redis://127.0.0.1:1/0"), Tls())
    with closing(BrokerDoorbells(broker, PLAIN)) as doorbells:
        doorbells.ring([(CONVERSATION, "turns")])
    assert "the agenda will ring again" in caplog.text
