"""The gates of a persona."""

from __future__ import annotations

from worker.domain.conversation import Conversation
from worker.store.conversations.turn_steps import Grant


def test_a_paused_persona_starts_nothing_and_goes_on_in_order(store, chat, begin, refused):
    store.inbox.accept(chat(event_id="a"))
    store.inbox.accept(chat(event_id="b"))
    store.personas.pause("ava", "holiday")
    assert (refused().status, refused().reason) == ("paused", "holiday")
    store.personas.open_gate("ava", "paused")
    assert [entry.event_id for entry in begin().entries] == ["a", "b"]


def test_opening_a_gate_rings_for_everything_that_waited(store, chat):
    conversations = [Conversation("ava", f"@{number}") for number in range(10)]
    for conversation in conversations:
        store.inbox.accept(chat(target=conversation.target))
    store.inbox.accept(chat(persona="bea"))
    store.personas.quarantine("ava", "key refused (401)")
    for conversation in conversations:
        store.steps.begin(conversation, "t")
    assert store.agenda.claim_due() == []
    store.personas.open_gate("ava", "quarantined")
    assert sorted(found for found, _ in store.agenda.claim_due()) == sorted(conversations)


def test_what_waited_for_a_gate_goes_on_in_its_original_order(store, chat, conversation):
    targets = [f"@{number}" for number in range(20)]
    for number, target in enumerate(targets):
        store.inbox.accept(chat(target=target, event_id="e"))
        journal = store.keys.of(Conversation("ava", target)).journal(Conversation("ava", target), "e")
        store.redis.hincrby(journal, "accepted_at", number - 1000)
    store.personas.pause("ava", "")
    for target in reversed(targets):
        store.steps.begin(Conversation("ava", target), "t")
    store.personas.open_gate("ava", "paused")
    assert [found.target for found, _ in store.agenda.claim_due()] == targets


def test_opening_a_gate_does_not_shorten_a_hold_of_its_own(store, chat, begin, refused):
    store.inbox.accept(chat())
    store.steps.hold(begin(), 60, "throttled (429)", unknown=False)
    store.personas.open_gate("ava", "paused")
    assert store.agenda.claim_due() == []
    assert refused().status == "held"


def test_another_persona_is_not_concerned(store, chat):
    store.inbox.accept(chat(persona="bea"))
    store.personas.pause("ava", "")
    assert isinstance(store.steps.begin(Conversation("bea", "@lead"), "t"), Grant)


def test_a_hold_is_for_the_whole_key_and_never_gets_shorter(store, chat, refused):
    store.inbox.accept(chat())
    store.personas.hold("ava", 60, "throttled (429)")
    until = refused().until
    store.personas.hold("ava", 5, "throttled (429)")
    assert refused().until >= until - 250
    assert refused().reason == "throttled (429)"


def test_without_credits_only_conversations_that_would_start_wait(store, chat, begin, refused, conversation):
    store.inbox.accept(chat())
    store.steps.settle(begin(), "answered", mark="started")
    store.personas.close_for_probing("ava", "credits", "credits out (402)")
    store.inbox.accept(chat())
    assert begin().started
    store.inbox.accept(chat(target="@new"))
    answer = store.steps.begin(Conversation("ava", "@new"), "t")
    assert (answer.status, answer.reason) == ("held", "credits")


def test_a_stored_reply_is_delivered_although_the_persona_is_paused(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    store.steps.record(begin(), "reply")
    let_lease_run_out()
    store.personas.pause("ava", "")
    assert begin().head.reply == "reply"
