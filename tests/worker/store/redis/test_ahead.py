"""The clock of a simulation: it stands still for scripts and client alike, and each command goes through the client."""

from __future__ import annotations

from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.store import Store
from worker.store.redis.ahead import AheadRedis, stand_at
from worker.store.redis.connection import clock_ms

AT_MS = 1_700_000_000_123


class Told(AheadRedis):
    """Notes the names of its commands."""

    names: list[str]

    def execute_command(self, *words, **options):
        self.__dict__.setdefault("names", []).append(words[0])
        return super().execute_command(*words, **options)


def test_a_clock_stands_still(make_store, make_settings, channel):
    make_store()
    store = Store(make_settings(), client=Told)
    stand_at(store.redis, AT_MS)
    assert clock_ms(store.redis) == AT_MS
    event = InboundChat(persona="ava", target="@john", message="hi", channel=channel, event_id="e1")
    assert store.inbox.accept(event).status == "accepted"
    lead = Conversation("ava", "@john")
    assert store.steps.begin(lead, "token").head.accepted_at == AT_MS
    assert {"EVALSHA", "SET"} <= set(store.redis.names)
    store.close()
