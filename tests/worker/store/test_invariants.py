"""Random interleavings of all steps, by live and stale holders, against a model in plain Python.

Checks invariants 1 to 6 and 10 of docs/architecture.md after every step. Leases and holds run out by setting their time
to the past, and the clock steps back or forward now and then; everything else is the real scripts on a real server. Any
call may be made twice, as the client does after a time-out.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.worker.store.conversation_model import Event, Model
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp, InboundChat
from worker.store.conversations.turn_steps import Grant, NotNow
from worker.store.redis.ahead import advance

CONVERSATIONS = (Conversation("ava", "@one"), Conversation("bea", "@two"))
SPEAK_FIRST = ("ai_opener", "follow_up")
KINDS = ("inbound_chat", "inbound_chat", "inbound_chat", "image", "ai_opener", "event_trigger", "follow_up")


class Interleavings(RuleBasedStateMachine):
    """Any number of producers, holders and tickers over two conversations."""

    store = None
    channel = None
    grants = Bundle("grants")

    def __init__(self):
        super().__init__()
        self.store.redis.flushall()
        advance(self.store.redis, 10_000_000)
        self.models = {conversation: Model() for conversation in CONVERSATIONS}
        self.numbers = itertools.count(1)
        self.asked = {conversation: [] for conversation in CONVERSATIONS}

    def state_key(self, conversation):
        return self.store.keys.of(conversation).conversation(conversation)

    @rule(conversation=st.sampled_from(CONVERSATIONS), kind=st.sampled_from(KINDS))
    def accept(self, conversation, kind):
        number = f"e{next(self.numbers)}"
        model = self.models[conversation]
        common = {
            "event_id": number,
            "persona": conversation.persona,
            "target": conversation.target,
            "channel": self.channel,
        }
        event = {
            "inbound_chat": lambda: InboundChat(message="hi", **common),
            "image": lambda: InboundChat(image_url="https://example.com/a.jpg", **common),
            "ai_opener": lambda: AiOpener(**common),
            "event_trigger": lambda: EventTrigger(event_type="t", **common),
            "follow_up": lambda: FollowUp(**common),
        }[kind]()
        acceptance = self.store.inbox.accept(event)
        if kind in ("inbound_chat", "image") and model.inbox and not model.lease_live:
            head = model.inbox[0]
            # What was never asked gives way to the lead, whatever it is held for.
            model.held = model.held and (head.kind not in SPEAK_FIRST or head.asks > 0 or head.reply is not None)
        model.inbox.append(Event(number, kind))
        model.last_chat = number_of(model.inbox[-1]) if kind in ("inbound_chat", "image") else model.last_chat
        assert (acceptance.status, acceptance.position) == ("accepted", len(model.inbox))
        again = self.store.inbox.accept(event)
        assert (again.status, again.position) == ("duplicate", len(model.inbox))

    @rule(target=grants, conversation=st.sampled_from(CONVERSATIONS))
    def begin(self, conversation):
        model = self.models[conversation]
        token = f"t{next(self.numbers)}"
        answer = self.store.steps.begin(conversation, token)
        if not model.inbox:
            assert answer.status == "empty"
            return multiple()
        if model.lease_live:
            assert answer.status == "busy"
            return multiple()
        if model.taken:
            assert answer.status == "taken_over"
            return multiple()
        if model.may_be_held and not isinstance(answer, Grant):
            model.held = True
        if model.held:
            assert answer.status == "held"
            return multiple()
        model.may_be_held = model.ended_by_step = False
        assert isinstance(answer, Grant), answer
        if model.holder or model.left_open:
            model.doubted, model.left_open = True, False
            model.inbox[0].doubted = model.inbox[0].doubted or model.inbox[0].reply is None
        if not model.group:
            model.group = model.natural_group()
        model.fence += 1
        model.holder, model.lease_live = token, True
        # 2. Order: what is asked is the front of the inbox; a group that may have been asked stays as it was.
        assert [entry.event_id for entry in answer.entries] == [event.event_id for event in model.inbox[: model.group]]
        assert answer.fence == model.fence
        # 5. A stored reply is never asked for again.
        assert answer.head.reply == model.inbox[0].reply
        if answer.head.reply is None:
            self.asked[conversation].append(model.inbox[0])
            model.inbox[0].asks += 1
        assert answer.head.asks == model.inbox[0].asks
        if answer.head.step == "begun":
            assert self.store.steps.asking(answer) == "asking"
            answer = replace(answer, entries=(answer.head._replace(step="asking"), *answer.entries[1:]))
        again = self.store.steps.begin(conversation, token)
        assert (again.fence, again.entries) == (answer.fence, answer.entries)
        return answer

    @rule(grant=grants, text=st.sampled_from(["a", "b"]))
    def record(self, grant, text):
        model = self.models[grant.conversation]
        head = next((event for event in model.inbox if event.event_id == grant.head.event_id), None)
        recorded = self.store.steps.record(grant, text)
        if head is None:
            assert recorded.status == "settled"
            return
        head.reply = head.reply or text
        assert recorded.reply == head.reply, "the first stored reply wins"
        holder = "taken_over" if model.taken else "holder"
        assert recorded.status == (holder if model.holder == grant.token else "lost")
        assert self.store.steps.record(grant, "another") == recorded
        model.lease_live = model.lease_live or model.holder == grant.token

    @rule(
        grant=consumes(grants),
        fate=st.sampled_from(["answered", "ignored", "sealed", "skipped", "dead"]),
        escalated=st.booleans(),
    )
    def settle(self, grant, fate, escalated=False):
        model = self.models[grant.conversation]
        mark = "escalated" if escalated and fate == "dead" else ""
        settled = self.store.steps.settle(grant, fate, mark=mark)
        if model.holder != grant.token:
            assert settled.status == "lost"
            return
        assert settled.status == "settled"
        model.taken = model.taken or bool(mark)
        head = model.inbox[0]
        members = [event for event in model.ended if event.asked_with is head and event.fate == "dead"]
        for index in range(model.group):
            event = model.inbox.pop(0)
            event.fate = "joined" if index and fate == "answered" else fate
            event.asked_with = head if index and head.reply else None
            if event.rank is None:
                model.ranks += 1
                event.rank = model.ranks
            if fate == "answered":
                model.answered_rank = max(model.answered_rank, event.rank)
                model.answered.append(event)
            model.ended.append(event)
        # A group that died with its reply ends with its replayed head.
        for event in members if fate != "dead" else []:
            event.fate = "joined" if fate == "answered" else fate
            if fate == "answered":
                model.answered_rank = max(model.answered_rank, event.rank)
        model.holder, model.lease_live, model.held, model.group, model.doubted = None, False, False, 0, False
        assert settled.left == len(model.inbox)
        assert self.store.steps.settle(grant, fate).status == "repeated"

    @rule(grant=consumes(grants), outcome=st.sampled_from(["known", "unknown", "not asked"]))
    def hold(self, grant, outcome):
        model = self.models[grant.conversation]
        unknown, asked = outcome == "unknown", outcome != "not asked"
        held = self.store.steps.hold(grant, 1000, "later", unknown=unknown, asked=asked)
        if model.holder != grant.token:
            assert held == "lost"
            return
        assert held == "held"
        model.doubted = model.doubted or unknown
        model.inbox[0].doubted = model.inbox[0].doubted or (unknown and model.inbox[0].reply is None)
        if not model.doubted and model.inbox[0].reply is None:
            model.group = 0
        head = model.inbox[0]
        gives_way = False
        if not asked and head.reply is None:
            head.asks -= 1
            gives_way = head.kind in SPEAK_FIRST and self.lead_wrote_since(grant.conversation, head)
        model.holder, model.lease_live, model.held = None, False, not gives_way
        model.may_be_held = model.ended_by_step = False
        assert self.store.steps.hold(grant, 1000, "later", unknown=unknown, asked=asked) == "repeated"

    def lead_wrote_since(self, conversation, event):
        return self.models[conversation].last_chat > number_of(event)

    @rule(seconds=st.integers(3, 4000))
    def step_back(self, seconds):
        advance(self.store.redis, -seconds)
        # Beat looks into each shard all the time: a step that nobody saw before the next one was another step.
        self.store.measures.take()
        for model in self.models.values():
            # And a hold that ended by a step forward has not, if nobody saw it end.
            model.may_be_held = model.may_be_held or model.ended_by_step

    @rule(seconds=st.integers(1100, 4000))
    def step_forward(self, seconds):
        advance(self.store.redis, seconds)
        for model in self.models.values():
            model.ended_by_step = model.ended_by_step or model.held
            model.held = False

    @rule(grant=grants)
    def hand_over(self, grant):
        model = self.models[grant.conversation]
        assert self.store.steps.hand_over([grant]) == (model.holder == grant.token)
        if model.holder == grant.token:
            model.holder, model.lease_live, model.left_open = None, False, True
            assert self.store.steps.hand_over([grant]) == 0

    @rule(
        conversation=st.sampled_from(CONVERSATIONS),
        kind=st.sampled_from(KINDS),
        replied=st.booleans(),
        fate=st.sampled_from(["dead", "dead", "answered"]),
    )
    def a_whole_turn(self, conversation, kind, replied, fate):
        self.accept(conversation, kind)
        grant = self.begin(conversation)
        if isinstance(grant, Grant):
            if replied:
                self.record(grant, "a")
            self.settle(grant, fate)

    @rule(conversation=st.sampled_from(CONVERSATIONS), fate=st.sampled_from(["dead", "answered", "sealed"]))
    def a_group_dies_with_its_reply_and_its_head_is_replayed(self, conversation, fate):
        model = self.models[conversation]
        if model.inbox:
            return
        for _ in range(2):
            self.accept(conversation, "inbound_chat")
        first = self.begin(conversation)
        if not isinstance(first, Grant):
            return
        self.record(first, "a")
        self.settle(first, "dead")
        head = next(event for event in model.ended if event.event_id == first.head.event_id)
        self.replay(conversation, [event for event in model.ended if event.fate == "dead"].index(head), "place")
        second = self.begin(conversation)
        if isinstance(second, Grant):
            self.settle(second, fate)

    @rule(
        conversation=st.sampled_from(CONVERSATIONS),
        choice=st.integers(min_value=0),
        mode=st.sampled_from(["place", "place", "append", "join"]),
    )
    def replay(self, conversation, choice, mode):
        model = self.models[conversation]
        dead = [event for event in model.ended if event.fate == "dead"]
        if not dead:
            return
        event = dead[choice % len(dead)]
        status = self.store.dead_letters.replay(conversation, event.event_id, mode).status
        if event.asked_with:
            # The reply of its head is its own.
            assert status == ("covered" if event.asked_with.fate else "with_head")
            return
        place = {"place": self.place, "append": self.append, "join": self.join}[mode](model, event)
        if isinstance(place, str):
            assert status == place
            return
        assert status == "replayed"
        model.ended.remove(event)
        model.inbox.insert(place, event)
        event.fate, event.replayed = None, True
        event.alone = event.alone or bool(event.reply) or event.doubted
        event.doubted, event.asks = False, 0
        if mode != "place":
            event.rank, event.moved = None, True
        assert self.store.dead_letters.replay(conversation, event.event_id, mode).status == "not_dead"

    def place(self, model, event):
        return model.place_of(event)

    def append(self, model, event):
        return len(model.inbox)

    def join(self, model, event):
        if event.kind != "inbound_chat" or event.alone or event.reply or event.doubted:
            return "cannot_join"
        if not model.inbox:
            return "nothing_to_join"
        head = model.inbox[0]
        if model.group or head.reply:
            return "later_asked"
        return "nothing_to_join" if head.alone or head.kind not in ("inbound_chat", "image") else 0

    @rule(conversation=st.sampled_from(CONVERSATIONS), choice=st.integers(min_value=0))
    def discard(self, conversation, choice):
        dead = [event for event in self.models[conversation].ended if event.fate == "dead"]
        if dead:
            event = dead[choice % len(dead)]
            assert self.store.dead_letters.replay(conversation, event.event_id, "discard").status == "discarded"

    @rule(conversation=st.sampled_from(CONVERSATIONS))
    def claim(self, conversation):
        model = self.models[conversation]
        status = self.store.takeovers.claim(conversation, "kim").status
        if not model.inbox and not model.ended:
            assert status == "unknown"
            return
        assert status == "claimed"
        model.taken = True

    @rule(conversation=st.sampled_from(CONVERSATIONS), answer=st.sampled_from(["joined", "last", "none"]))
    def hand_back(self, conversation, answer):
        model = self.models[conversation]
        done = self.store.takeovers.hand_back(conversation, answer)
        if not model.taken:
            assert done.status == ("not_taken_over" if model.inbox or model.ended else "unknown")
            return
        model.taken = False
        messages = [index for index, event in enumerate(model.inbox) if event.kind in ("inbound_chat", "image")]
        newest = messages[-1] if messages else -1
        # What is asked, and what has one answer, stays together.
        whole = model.lease_live or (answer == "last" and 0 <= newest < model.group)
        stays = [
            event
            for index, event in enumerate(model.inbox)
            if answer == "joined" or (answer == "last" and index == newest) or (whole and index < model.group)
        ]
        dropped = [event for event in model.inbox if event not in stays]
        for event in dropped:
            event.fate = "skipped"
            for member in model.ended:
                if member.asked_with is event and member.fate == "dead":
                    member.fate = "skipped"
            model.ended.append(event)
        if dropped and dropped[0] is model.inbox[0]:
            model.holder, model.lease_live, model.held, model.group, model.doubted = None, False, False, 0, False
        model.inbox = stays
        assert (done.status, done.dropped, done.left) == ("handed_back", len(dropped), len(stays))
        assert self.store.takeovers.hand_back(conversation, answer).status == "not_taken_over"

    @rule(conversation=st.sampled_from(CONVERSATIONS))
    def lease_runs_out(self, conversation):
        model = self.models[conversation]
        if model.holder:
            self.store.redis.hset(self.state_key(conversation), "lease_until", 1)
            model.lease_live = False

    @rule(conversation=st.sampled_from(CONVERSATIONS))
    def hold_runs_out(self, conversation):
        model = self.models[conversation]
        if model.held:
            self.store.redis.hset(self.state_key(conversation), "hold_until", 1)
            model.held = False

    @rule(grant=grants)
    def renew(self, grant):
        model = self.models[grant.conversation]
        lost = self.store.steps.renew([grant])
        assert bool(lost) == (model.holder != grant.token)
        model.lease_live = model.lease_live or not lost

    @rule()
    def every_doorbell_is_lost(self):
        self.store.redis.delete("turns", "outreach")
        # 6. Doorbells are hints: once everything is due, all work is found again.
        for shard in self.store.keys.shards:
            for name in self.store.redis.zrange(shard.agenda, 0, -1):
                self.store.redis.zadd(shard.agenda, {name: 1})
        due = {conversation for conversation, _ in self.store.agenda.claim_due()}
        assert due == {conversation for conversation, model in self.models.items() if model.inbox}

    @invariant()
    def agenda_if_and_only_if_work(self):
        for conversation, model in self.models.items():
            agenda = self.store.keys.of(conversation).agenda
            assert (self.store.redis.zscore(agenda, conversation.name) is not None) == bool(model.inbox)

    @invariant()
    def taken_over_is_listed(self):
        listed = {found.conversation for found in self.store.takeovers.all()}
        assert listed == {conversation for conversation, model in self.models.items() if model.taken}

    @invariant()
    def inbox_is_the_model(self):
        for conversation, model in self.models.items():
            inbox = self.store.redis.lrange(self.store.keys.of(conversation).inbox(conversation), 0, -1)
            assert inbox == [event.event_id for event in model.inbox]

    @invariant()
    def one_fate_each(self):
        accounts = {account.persona: account for account in self.store.books.accounts()}
        for conversation, model in self.models.items():
            if conversation.persona not in accounts:
                assert not model.inbox
                assert not model.ended
                continue
            account = accounts[conversation.persona]
            assert account.unexplained == 0
            assert account.waiting == len(model.inbox)
            assert account.accepted == len(model.inbox) + len(model.ended)
            for fate in ("answered", "joined", "ignored", "sealed", "skipped", "dead"):
                assert getattr(account, fate) == sum(event.fate == fate for event in model.ended)

    @invariant()
    def one_turn_at_a_time(self):
        for conversation, model in self.models.items():
            if model.lease_live:
                answer = self.store.steps.begin(conversation, "an intruder")
                assert isinstance(answer, NotNow)
                assert answer.status == "busy"

    @invariant()
    def asked_in_order_of_acceptance(self):
        for asked in self.asked.values():
            in_order([event for event in asked if not event.replayed])

    @invariant()
    def answered_in_order_of_acceptance(self):
        for model in self.models.values():
            in_order([event for event in model.answered if not event.moved])


def number_of(event):
    return int(event.event_id[1:])


def in_order(events):
    numbers = [number_of(event) for event in events]
    assert numbers == sorted(numbers)


@pytest.mark.timeout(600)
def test_no_interleaving_breaks_an_invariant(make_store, channel):
    Interleavings.store, Interleavings.channel = make_store(ahead=True), channel
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
