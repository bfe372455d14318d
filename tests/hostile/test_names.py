"""Names that look like parts of keys: conversations never mix, in keys, scripts, doorbells or calls."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp, InboundChat
from worker.store.conversations.turn_steps import Grant
from worker.store.keys import Keys

# Each differs from another in what a key, a pattern, a script or a shell could take for its own.
TARGETS = [
    "x",
    "x:y",
    "x:",
    ":x",
    "::",
    "bea:x",
    "x x",
    " x",
    "x ",
    "{x}",
    "{00}",
    "}{",
    "{",
    "*",
    "?",
    "[a-z]",
    "x*",
    "\\*",
    "%s",
    "%",
    "^[^:]*",
    "'x'",
    '"x"',
    "$(x)",
    "../x",
    "x\u2028y",
    "\u00e9",
    "e\u0301",
    "\U0001f525",
    "\ufeff",
    "\u202ex",
    "agenda",
    "follow_ups",
    "parley:{00}:agenda",
    "e1 ava:x",
    "x" * 256,
    "x" * 255 + "y",
    "\U0001f525" * 256,
]
EVENT_IDS = ["e", "e:1", "{e}", "*", "ava:x", "e#2", "'", "\\", "x" * 256]

PERSONAS = {name: {"api_key": f"ft_sk_{name}"} for name in ("ava", "bea", "a", "a-b", "a_b", "qz" * 32)}

SETTINGS = {"personas": PERSONAS, "join": {"settle_seconds": 0, "max_events": 1}}

key_letters = st.sampled_from([*"ab:{} *?[]\\^%'\"/.#", "\u00e9", "\U0001f525", "\u2028"])
targets = st.text(key_letters, min_size=1, max_size=6) | st.sampled_from(TARGETS)
personas = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,3}", fullmatch=True)
event_ids = st.text(st.sampled_from("ab:{}*#'"), min_size=1, max_size=4)
conversations = st.builds(Conversation, personas, targets)


def own_keys(keys: Keys, conversation: Conversation, event_id: str) -> list[str]:
    shard = keys.of(conversation)
    return [
        shard.conversation(conversation),
        shard.inbox(conversation),
        shard.timeline(conversation),
        shard.journal(conversation, event_id),
    ]


@settings(max_examples=500, deadline=None)
@given(first=conversations, second=conversations, first_id=event_ids, second_id=event_ids)
def test_two_conversations_never_share_a_key(first, second, first_id, second_id):
    keys = Keys(16)
    assume(first != second)
    assert first.name != second.name
    shared = set(own_keys(keys, first, first_id)) & set(own_keys(keys, second, second_id))
    assert shared == set()


@settings(max_examples=300, deadline=None)
@given(conversation=conversations, first_id=event_ids, second_id=event_ids)
def test_two_events_never_share_a_journal(conversation, first_id, second_id):
    shard = Keys(16).of(conversation)
    assume(first_id != second_id)
    assert shard.journal(conversation, first_id) != shard.journal(conversation, second_id)


@settings(max_examples=300, deadline=None)
@given(conversation=conversations, event_id=event_ids)
def test_a_conversation_lives_in_the_slot_of_its_agenda_and_nowhere_else(conversation, event_id):
    """In a cluster, a script may touch one slot; a brace in a name must not choose another."""
    keys = Keys(16)
    shard = keys.of(conversation)
    slots = {key_slot(key.encode()) for key in own_keys(keys, conversation, event_id)}
    assert slots == {key_slot(shard.agenda.encode())}


@settings(max_examples=300, deadline=None)
@given(conversation=conversations)
def test_a_name_reads_back_as_the_conversation_it_was_made_from(conversation):
    assert Conversation.of_name(conversation.name) == conversation


@pytest.fixture
def busy_store(make_store, channel):
    """Every hostile target of several personas has one event, all at once."""
    store = make_store(**SETTINGS)
    for persona in PERSONAS:
        for target in TARGETS:
            event = InboundChat(
                event_id="e1", persona=persona, target=target, message=f"{persona} to {target}", channel=channel
            )
            assert store.inbox.accept(event).position == 1
    return store


EVERYBODY = {Conversation(persona, target) for persona in PERSONAS for target in TARGETS}


def test_the_doorbell_of_each_conversation_names_it_and_no_other(busy_store):
    rung = []
    for doorbell in busy_store.redis.lrange("turns", 0, -1):
        body = json.loads(base64.b64decode(json.loads(doorbell)["body"]))
        rung.append(Conversation(*body[0]))
    assert len(rung) == len(EVERYBODY)
    assert set(rung) == EVERYBODY


def test_the_agenda_rings_for_each_conversation_once(busy_store):
    for shard in busy_store.keys.shards:
        names = busy_store.redis.zrange(shard.agenda, 0, -1)
        if names:
            busy_store.redis.zadd(shard.agenda, dict.fromkeys(names, 0))
    rung = [conversation for conversation, _ in busy_store.agenda.claim_due()]
    assert len(rung) == len(EVERYBODY)
    assert set(rung) == EVERYBODY


def test_begin_and_settle_concern_one_conversation_only(busy_store):
    grants = {}
    for conversation in EVERYBODY:
        grant = busy_store.steps.begin(conversation, f"token of {conversation.name}")
        assert isinstance(grant, Grant), conversation
        assert json.loads(grant.head.payload)["message"] == f"{conversation.persona} to {conversation.target}"
        grants[conversation] = grant
    for conversation, grant in grants.items():
        assert busy_store.steps.record(grant, f'"{conversation.persona}"').status == "holder"
        planned = Planned(1, grant.now, Touch(grant.now, "because"))
        assert busy_store.steps.settle(grant, "answered", mark="started", follow_up=planned).status == "settled"
    for account in busy_store.books.accounts():
        assert (account.accepted, account.answered, account.waiting, account.unexplained) == (
            len(TARGETS),
            len(TARGETS),
            0,
            0,
        )
    assert {account.persona for account in busy_store.books.accounts()} == set(PERSONAS)
    due = [touch for touches in busy_store.follow_ups.due(10_000) for touch in touches]
    assert {Conversation.of_name(touch.conversation) for touch in due} == EVERYBODY


def test_a_seal_a_pause_and_a_dead_letter_are_for_whom_they_are_meant(busy_store, channel):
    paused = {conversation for conversation in EVERYBODY if conversation.persona == "a"}
    busy_store.personas.pause("a", "")
    for conversation in EVERYBODY:
        answer = busy_store.steps.begin(conversation, "t")
        assert isinstance(answer, Grant) == (conversation not in paused), conversation
        if isinstance(answer, Grant):
            sealed = conversation.target in ("x", "*")
            busy_store.steps.settle(answer, "dead", reason="refused", mark="sealed" if sealed else "")
    letters = busy_store.dead_letters.newest(10_000)
    assert {letter.conversation for letter in letters} == EVERYBODY - paused
    assert {(letter.kind, letter.cause) for letter in letters} == {("inbound_chat", "refused")}
    for conversation in EVERYBODY - paused:
        busy_store.inbox.accept(FollowUp(event_id="e2", persona=conversation.persona, target=conversation.target))
        grant = busy_store.steps.begin(conversation, "t2")
        assert isinstance(grant, Grant)
        assert grant.sealed == (conversation.target in ("x", "*")), conversation


def test_odd_event_ids_stay_apart(make_store, channel):
    store = make_store(**SETTINGS)
    for target in ("x", "ava:x", "1 ava:x"):
        for event_id in EVENT_IDS:
            event = InboundChat(event_id=event_id, persona="ava", target=target, message=event_id, channel=channel)
            assert store.inbox.accept(event).status == "accepted"
            assert store.inbox.accept(event).status == "duplicate"
    for target in ("x", "ava:x", "1 ava:x"):
        seen = []
        for number in range(len(EVENT_IDS)):
            grant = store.steps.begin(Conversation("ava", target), f"t{number}")
            assert isinstance(grant, Grant)
            seen.append((grant.head.event_id, json.loads(grant.head.payload)["message"]))
            store.steps.settle(grant, "dead")
        assert seen == [(event_id, event_id) for event_id in EVENT_IDS]
    assert len(store.dead_letters.newest()) == 3 * len(EVENT_IDS)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    conversation=st.builds(Conversation, st.just("ava"), targets), words=st.text(key_letters, min_size=1, max_size=9)
)
def test_a_name_reaches_the_persona_as_it_is(process, upstreams, channel, conversation, words):
    assume(words.strip())
    upstreams.reset()
    process.store.redis.flushall()
    process.producer.enqueue(
        InboundChat(persona=conversation.persona, target=conversation.target, message=words, channel=channel)
    )
    assert process.work(conversation)[-1].startswith("answered")
    (call,) = [call for call in upstreams.calls() if call.service == "fluidtalk"]
    assert (call.target, call.fields["message"]) == (conversation.target, words)
    assert process.fates() == {"answered": 1}
