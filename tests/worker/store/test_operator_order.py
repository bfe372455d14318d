"""What a person says, mixed at random with all else that happens to a conversation: each step keeps the promises."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from worker.domain.conversation import Conversation
from worker.domain.reply import Reply
from worker.store import Store
from worker.store.conversations.turn_steps import Grant

STEPS = (
    *("chat",) * 3,
    *("begin",) * 4,
    *("claim", "say", "record", "hold") * 2,
    *("settle",) * 3,
    *("opener", "trigger", "back", "lapse", "replay"),
)


class Play:
    """One conversation. After each step the inbox is in order, and the agenda has it if something waits."""

    def __init__(self, store: Store, chat: Any, event_of: Any, lot: random.Random) -> None:
        self.store, self.lot, self._chat, self._event_of = store, lot, chat, event_of
        self.lead = Conversation("ava", f"@{uuid.uuid4().hex}")
        self.keys = store.keys.conversation(self.lead)
        self.said: list[str] = []
        self.grants: list[Grant] = []
        # Head of each group that was asked, and the others.
        self.groups: dict[str, list[str]] = {}
        self.number = 0

    def inbox(self) -> list[str]:
        return self.store.redis.lrange(self.keys.inbox, 0, -1)  # type: ignore[no-any-return]

    def field(self, name: str) -> str | None:
        return self.store.redis.hget(self.keys.conversation, name)  # type: ignore[no-any-return]

    def step(self) -> None:
        self.number += 1
        getattr(self, self.lot.choice(STEPS))(f"e{self.number}")
        inbox, aside = self.inbox(), int(self.field("group_aside") or 0)
        assert (self.store.redis.zscore(self.keys.shard.agenda, self.lead.name) is not None) == bool(inbox)
        assert int(self.field("group") or 0) + aside <= len(inbox)
        assert not aside or inbox[0] in self.said

    def chat(self, event_id: str) -> None:
        self.store.inbox.accept(self._chat(event_id=event_id, target=self.lead.target))

    def opener(self, event_id: str) -> None:
        self.store.inbox.accept(self._event_of("ai_opener", event_id=event_id, target=self.lead.target))

    def trigger(self, event_id: str) -> None:
        self.store.inbox.accept(self._event_of("event_trigger", event_id=event_id, target=self.lead.target))

    def claim(self, _: str) -> None:
        self.store.takeovers.claim(self.lead, "kim")

    def say(self, event_id: str) -> None:
        if self.store.operator_messages.say(self.lead, "kim", "hello", event_id=event_id).status == "accepted":
            self.said.append(event_id)

    def back(self, _: str) -> None:
        self.store.takeovers.hand_back(self.lead, self.lot.choice(("joined", "last", "none")))

    def lapse(self, _: str) -> None:
        if self.field("owner"):
            at = self.store.follow_ups.now() - self.lot.choice((1, 30_000))
            self.store.redis.hset(self.keys.conversation, "lease_until", at)

    def begin(self, _: str) -> None:
        if self.lot.random() < 0.8:
            self.store.redis.hdel(self.keys.conversation, "hold_until")
        grant = self.store.steps.begin(self.lead, uuid.uuid4().hex)
        if not isinstance(grant, Grant):
            return
        self.grants.append(grant)
        ids = [entry.event_id for entry in grant.entries]
        assert self.inbox()[: len(ids)] == ids
        first = next((each for each in self.inbox() if each in self.said), None)
        # What was said goes first, alone; else nothing goes while a person has the conversation.
        assert ids == [first] if first else not self.field("taken_over")
        if grant.head.reply or grant.head.ask_unknowns or grant.head.asks_vanished:
            assert ids == self.groups.get(ids[0], ids), "a group that was asked stays whole"
        self.groups[ids[0]] = ids

    def record(self, _: str) -> None:
        if self.grants and (grant := self.lot.choice(self.grants[-3:])).head.reply is None:
            self.store.steps.record(grant, Reply(("hi",)).to_json())

    def hold(self, _: str) -> None:
        if self.grants:
            before, seconds = sorted(self.inbox()), self.lot.choice((0, 600))
            unknown, asked = self.lot.random() < 0.4, self.lot.random() < 0.7
            self.store.steps.hold(self.lot.choice(self.grants[-3:]), seconds, "x", unknown=unknown, asked=asked)
            assert sorted(self.inbox()) == before

    def settle(self, _: str) -> None:
        if not self.grants:
            return
        grant, before = self.lot.choice(self.grants[-3:]), self.inbox()
        settled = self.store.steps.settle(grant, self.lot.choice(("answered", "answered", "dead", "skipped")), "x")
        gone = {each for each in before if each not in self.inbox()}
        assert gone == ({entry.event_id for entry in grant.entries} if settled.status == "settled" else set())

    def replay(self, _: str) -> None:
        for letter in self.store.dead_letters.newest(5):
            if letter.conversation == self.lead:
                mode = self.lot.choice(("place", "append", "join"))
                self.store.dead_letters.replay(self.lead, letter.event_id, mode)
                self.groups.pop(letter.event_id, None)
                return


@pytest.mark.parametrize("seed", range(8))
def test_at_random(store, chat, event_of, seed):
    lot = random.Random(seed)
    for _ in range(10):
        play = Play(store, chat, event_of, lot)
        for _ in range(lot.randint(20, 60)):
            play.step()
    assert [account.unexplained for account in store.books.accounts()] == [0]
