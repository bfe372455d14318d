"""The steps of a turn, each also from the hands of a holder whose time is over."""

from __future__ import annotations

import pytest

from worker.domain.events import EventTrigger
from worker.domain.retry import Failed, tries
from worker.store.conversations.turn_steps import Grant, NotNow
from worker.store.redis.connection import clock_ms


def test_one_holder_at_a_time(store, chat, begin, refused):
    store.inbox.accept(chat())
    begin()
    assert refused().status == "busy"


def test_the_fence_only_grows(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    fences = []
    for _ in range(3):
        fences.append(begin().fence)
        let_lease_run_out()
    assert fences == [1, 2, 3]


def test_begin_twice_with_the_same_token_is_the_same_grant_and_counts_once(store, chat, begin):
    store.inbox.accept(chat())
    first, second = begin("token"), begin("token")
    assert (first.fence, first.entries) == (second.fence, second.entries)
    assert second.head.asks == 1


def test_nothing_to_do_takes_the_conversation_off_the_agenda(store, conversation, refused):
    store.redis.zadd(store.keys.of(conversation).agenda, {conversation.name: 1})
    assert refused().status == "empty"
    assert store.redis.zcard(store.keys.of(conversation).agenda) == 0


def test_a_vanished_holder_is_counted_before_the_next_works(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    begin()
    let_lease_run_out()
    head = begin().head
    assert (head.asks, head.asks_vanished) == (2, 1)


def test_a_lease_that_is_handed_over_is_free_at_once_and_its_step_stays_open(store, chat, begin, conversation):
    store.inbox.accept(chat())
    grant = begin()
    assert store.steps.hand_over([grant, grant]) == 1, "twice is once"
    assert [conversation for conversation, *_ in store.agenda.claim_due()] == [conversation]
    assert store.steps.renew([grant]) == [grant], "a renewal under way does not bring it back"
    head = begin().head
    assert (head.asks, head.asks_vanished, head.asks_handed_over) == (2, 1, 1)
    assert [moment.word for moment in store.timeline.of(conversation)][-2:] == ["handed over", "second ask"]


def test_a_lost_lease_is_not_handed_over(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    stale = begin()
    let_lease_run_out()
    heir = begin()
    assert store.steps.hand_over([stale]) == 0
    assert store.steps.renew([heir]) == []


def test_the_first_stored_reply_wins_even_from_a_stale_holder(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    stale = begin()
    let_lease_run_out()
    holder = begin()
    assert store.steps.record(stale, "from the stale").status == "lost"
    recorded = store.steps.record(holder, "from the holder")
    assert (recorded.status, recorded.reply) == ("holder", "from the stale")


def test_a_stored_reply_comes_back_with_the_next_turn_and_is_not_asked_again(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    store.steps.record(begin(), "reply")
    let_lease_run_out()
    head = begin().head
    assert (head.reply, head.asks, head.sends, head.sends_vanished) == ("reply", 1, 2, 1)


def test_a_stale_holder_changes_nothing(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    stale = begin()
    let_lease_run_out()
    holder = begin()
    assert store.steps.settle(stale, "answered").status == "lost"
    assert store.steps.hold(stale, 10, "tired", unknown=False) == "lost"
    assert [grant.token for grant in store.steps.renew([stale, holder])] == [stale.token]
    assert store.steps.settle(holder, "answered").status == "settled"


def test_an_expired_lease_that_nobody_took_still_settles(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    grant = begin()
    let_lease_run_out()
    assert store.steps.settle(grant, "answered").status == "settled"


def test_every_step_may_run_twice_for_one_call(store, chat, begin, conversation):
    store.inbox.accept(chat())
    grant = begin()
    assert store.steps.record(grant, "r") == store.steps.record(grant, "r")
    assert int(store.redis.hget(store.keys.of(conversation).journal(conversation, grant.head.event_id), "sends")) == 1
    assert store.steps.settle(grant, "answered").status == "settled"
    assert store.steps.settle(grant, "answered").status == "repeated"
    assert store.books.accounts()[0].answered == 1
    store.inbox.accept(chat())
    held = begin()
    assert store.steps.hold(held, 60, "throttled", unknown=False) == "held"
    assert store.steps.hold(held, 60, "throttled", unknown=False) == "repeated"


def test_a_group_is_settled_as_one_the_first_answered_the_others_joined(store, chat, begin):
    for _ in range(3):
        store.inbox.accept(chat())
    store.steps.settle(begin(), "answered")
    (account,) = store.books.accounts()
    assert (account.answered, account.joined, account.waiting, account.unexplained) == (1, 2, 0, 0)


@pytest.mark.parametrize(
    ("fate", "kept"), [("answered", set()), ("ignored", set()), ("dead", {"payload", "reply", "image_url"})]
)
def test_what_was_said_ends_with_its_event_unless_that_can_be_replayed(fate, kept, store, chat, begin, journal):
    store.inbox.accept(chat(event_id="a"))
    store.inbox.accept(chat(event_id="b"))
    grant = begin()
    store.steps.keep_image(grant, "a", "https://example.com/hosted.jpg")
    store.steps.record(grant, "reply")
    store.steps.settle(grant, fate)
    assert {"payload", "reply", "image_url"} & journal("a").keys() == kept
    assert ("payload" in journal("b")) == (fate == "dead")
    assert store.steps.record(grant, "brought late").reply == ("reply" if kept else "")


def test_an_image_closes_its_group(store, chat, begin):
    store.inbox.accept(chat("a"))
    store.inbox.accept(chat("look", image_url="https://example.com/a.jpg"))
    store.inbox.accept(chat("b"))
    assert len(begin().entries) == 2


def test_another_kind_is_asked_alone(store, chat, event_of, begin):
    store.inbox.accept(chat())
    store.inbox.accept(event_of("event_trigger"))
    store.inbox.accept(chat())
    kinds = []
    for _ in range(3):
        grant = begin()
        kinds.append([entry.kind for entry in grant.entries])
        store.steps.settle(grant, "answered")
    assert kinds == [["inbound_chat"], ["event_trigger"], ["inbound_chat"]]


def test_the_characters_of_one_call_are_bounded(make_store, chat, begin):
    store = make_store(join={"settle_seconds": 0, "max_characters": 10})
    for text in ("123456", "1234", "1"):
        store.inbox.accept(chat(text))
    assert len(begin(of=store).entries) == 2


def test_after_a_refused_call_newer_messages_join(store, chat, begin, let_hold_run_out):
    store.inbox.accept(chat())
    store.steps.hold(begin(), 60, "throttled", unknown=False)
    store.inbox.accept(chat())
    let_hold_run_out()
    assert len(begin().entries) == 2


@pytest.mark.parametrize("how", ["an unknown outcome", "a vanished holder"])
def test_what_may_have_been_asked_is_asked_again_as_it_was(
    how, store, chat, begin, let_lease_run_out, let_hold_run_out
):
    store.inbox.accept(chat())
    grant = begin()
    if how == "an unknown outcome":
        store.steps.hold(grant, 60, "no answer", unknown=True)
        let_hold_run_out()
    else:
        let_lease_run_out()
    store.inbox.accept(chat())
    second = begin()
    assert len(second.entries) == 1
    store.steps.hold(second, 60, "throttled", unknown=False)
    let_hold_run_out()
    assert len(begin().entries) == 1


def test_a_hold_is_kept_and_said(store, chat, begin, refused, conversation, due):
    store.inbox.accept(chat())
    store.steps.hold(begin(), 60, "throttled (429)", unknown=False)
    looked_at = due()
    answer = refused()
    assert looked_at == answer.until
    assert (answer.status, answer.reason) == ("held", "throttled (429)")
    assert store.redis.zscore(store.keys.of(conversation).agenda, conversation.name) == answer.until


def test_settling_rings_for_what_is_left(store, event_of, begin, conversation):
    for kind in ("event_trigger", "event_trigger", "ai_opener"):
        store.inbox.accept(event_of(kind))
    store.redis.delete("turns")
    assert store.steps.settle(begin(), "answered").left == 2
    assert (store.redis.llen("turns"), store.agenda.claim_due()) == (1, [])
    assert store.steps.settle(begin(), "answered").left == 1
    assert (store.redis.llen("turns"), store.agenda.claim_due()) == (1, [(conversation, "outreach")])


def test_dead_letters_are_listed_with_their_cause(store, chat, begin):
    store.inbox.accept(chat(event_id="x"))
    store.steps.settle(begin(), "dead", "refused by the persona (status 422)", detail='{"detail": "..."}')
    (letter,) = store.dead_letters.newest()
    assert (letter.event_id, letter.kind, letter.cause) == ("x", "inbound_chat", "refused by the persona (status 422)")


def test_a_seal_is_remembered_for_ever_and_listed(store, chat, begin, conversation):
    store.inbox.accept(chat())
    store.steps.settle(begin(), "sealed", mark="sealed")
    shard = store.keys.of(conversation)
    assert store.redis.ttl(shard.conversation(conversation)) == -1
    assert store.redis.hexists(shard.sealed, conversation.name)
    store.inbox.accept(chat())
    assert begin().sealed


def test_everything_else_expires_when_it_is_over(store, chat, begin, conversation):
    store.inbox.accept(chat())
    store.steps.settle(begin(), "answered")
    # The index of conversations: trimmed by entries (``tasks.trim``).
    lasting = {"books", "conversations"}
    for key in store.redis.scan_iter(match="parley:*"):
        assert store.redis.ttl(key) > 0 or key.rpartition("}:")[2] in lasting, f"{key} never expires"


def test_the_timeline_tells_the_steps_without_content(store, chat, begin, conversation):
    store.inbox.accept(chat("my secret words", event_id="x"))
    grant = begin()
    store.steps.record(grant, '{"bubbles": ["secret answer"]}')
    store.steps.settle(grant, "answered")
    moments = store.timeline.of(conversation)
    assert [moment.word for moment in moments] == ["accepted", "asking", "replied", "answered"]
    assert "secret" not in repr(moments)


def test_begin_answers_are_typed(store, conversation):
    assert isinstance(store.steps.begin(conversation, "t"), NotNow | Grant)


def test_a_repeated_record_of_the_holder_renews_its_lease(store, chat, begin, refused, let_lease_run_out):
    """The client repeats a call that timed out; by then the lease may have run out."""
    store.inbox.accept(chat())
    grant = begin()
    store.steps.record(grant, "reply")
    let_lease_run_out()
    assert store.steps.record(grant, "reply").status == "holder"
    assert refused().status == "busy"


def test_a_failed_attempt_counts_when_the_next_one_fails_and_it_was_judged(
    store, accept, begin, let_hold_run_out, journal
):
    accept("a")
    failed = Failed("unavailable", 20)
    store.steps.hold(begin(), 2, "no connection", unknown=False, failed=failed)
    let_hold_run_out()
    again = begin()
    assert again.head.failed.why == "no connection"
    store.steps.hold(again, 3, "no connection", unknown=False, failed=failed, judged=True)
    assert (journal("a")["failures"], journal("a")["failures_ms"]) == ("1", "2000")
    let_hold_run_out()
    store.steps.hold(begin(), 4, "no connection", unknown=False, failed=failed)
    assert (journal("a")["failures"], journal("a")["failures_ms"]) == ("1", "2000")


def test_a_failure_that_is_surely_its_own_counts_at_once(store, accept, begin, journal, let_hold_run_out):
    accept("a")
    store.steps.hold(begin(), 2, "no image", unknown=False, failed=Failed("image", 20, own=True))
    let_hold_run_out()
    head = begin().head
    assert (head.failures, head.failures_ms) == (1, 2000)
    assert tries(head, succeeded_at=2_000_000_000_000).counted == 1, "and never a second time"


def test_delivering_has_a_budget_of_its_own(store, accept, begin, journal, let_hold_run_out):
    accept("a")
    for judged in (False, True):
        store.steps.hold(begin(), 0, "no", unknown=False, failed=Failed("unavailable", 20), judged=judged)
        let_hold_run_out()
    store.steps.record(begin(), "reply")
    assert not {"failures", "failures_ms", "failed"} & journal("a").keys()


def test_a_turn_that_has_more_to_do_before_its_call_and_vanishes_has_asked_nothing(
    store, chat, channel, begin, let_lease_run_out
):
    store.inbox.accept(EventTrigger(persona="ava", target="@lead", event_type="t", channel=channel))
    begin()
    let_lease_run_out()
    grant = begin()
    assert (grant.head.asks, grant.head.asks_vanished) == (1, 0)
    assert store.steps.asking(grant) == "asking"
    let_lease_run_out()
    assert begin().head.asks_vanished == 1


def test_a_turn_that_lost_its_lease_may_not_ask(store, channel, begin, let_lease_run_out):
    store.inbox.accept(EventTrigger(persona="ava", target="@lead", event_type="t", channel=channel))
    lost = begin()
    let_lease_run_out()
    begin()
    assert store.steps.asking(lost) == "lost"


def test_a_holder_that_wakes_up_after_its_lead_was_forgotten_leaves_no_image_behind(
    store, accept, begin, conversation, let_lease_run_out
):
    accept("x")
    grant = begin()
    let_lease_run_out()
    assert store.forgetting.forget(conversation, store.forgetting.traces(conversation)).status == "forgotten"
    store.steps.keep_image(grant, "x", "https://images.test/x.png")
    assert store.forgetting.traces(conversation).nothing


@pytest.mark.parametrize("end", ["settle", "hold"])
def test_a_begin_that_arrives_after_its_turn_has_ended_grants_nothing(store, accept, begin, refused, journal, end):
    """Its repetition came before it. Nobody would run that turn, and it would count as one whose worker vanished."""
    accept("a", image_url="https://example.com/a.jpg")
    accept("b")
    grant = begin("t")
    if end == "settle":
        store.steps.settle(grant, "answered")
    else:
        store.steps.hold(grant, 0, "throttled", unknown=False)
    assert refused("t").status == "busy"
    assert begin("u").head.event_id == ("b" if end == "settle" else "a")
    assert "asks_vanished" not in journal("a") | journal("b")


def test_a_group_that_was_asked_stays_whole_where_fewer_may_join(make_store, chat, conversation):
    """Two settings run side by side during a deploy."""
    wide, narrow = make_store(), make_store(join={"settle_seconds": 0, "max_events": 1})
    for event_id in ("a", "b", "c"):
        wide.inbox.accept(chat(event_id=event_id))
    assert len(wide.steps.begin(conversation, "t").entries) == 3
    key = wide.keys.of(conversation).conversation(conversation)
    wide.redis.hset(key, "lease_until", 1)
    wide.inbox.accept(chat(event_id="d"))
    assert [entry.event_id for entry in narrow.steps.begin(conversation, "u").entries] == ["a", "b", "c"]


def test_what_a_settled_turn_asked_together_says_nothing_of_the_next_turn(store, accept, begin):
    sizes = []
    for event_ids in (("a",), ("b", "c", "d"), ("e",)):
        accept(*event_ids)
        grant = begin()
        sizes.append(len(grant.entries))
        store.steps.settle(grant, "answered")
    assert sizes == [1, 3, 1]


def test_a_doorbell_that_comes_before_the_lead_is_quiet_begins_nothing(make_store, chat, refused, due):
    """It was doubled, or rung for what was answered before."""
    store = make_store(join={"settle_seconds": 30, "settle_limit_seconds": 60})
    store.inbox.accept(chat())
    answer = refused(of=store)
    assert answer.status == "quiet"
    assert due() == answer.until


def test_a_stored_reply_moves_the_time_at_which_its_conversation_is_looked_at(
    store, accept, begin, state, due, conversation
):
    accept("a")
    grant = begin()
    store.redis.zadd(store.keys.of(conversation).agenda, {conversation.name: 1})
    store.steps.record(grant, "reply")
    assert due() == int(state()["lease_until"])


@pytest.mark.parametrize("end", ["settle", "hold", "hand-back"])
def test_a_timeline_keeps_its_last_entries_only(make_store, chat, conversation, let_hold_run_out, end):
    store = make_store(retention={"timeline_entries": 10})
    store.inbox.accept(chat())
    for number in range(20):
        grant = store.steps.begin(conversation, f"t{number}")
        if end == "settle":
            store.steps.settle(grant, "answered")
            store.inbox.accept(chat())
        else:
            store.steps.hold(grant, 0, "throttled", unknown=False)
            let_hold_run_out()
        if end == "hand-back":
            store.takeovers.claim(conversation, "kim")
            store.takeovers.hand_back(conversation, "joined")
    assert len(store.timeline.of(conversation)) <= 11


def test_a_lead_whom_the_persona_answers_is_of_another_account_no_longer(store, accept, begin):
    accept("a")
    store.steps.settle(begin(), "ignored", mark="owned_elsewhere")
    accept("b")
    grant = begin()
    assert grant.owned_elsewhere
    store.steps.settle(grant, "answered", mark="started")
    accept("c")
    assert not begin().owned_elsewhere


def test_a_delivery_that_is_handed_over_is_counted_as_one(store, accept, begin, conversation):
    accept("a")
    grant = begin()
    store.steps.record(grant, "reply")
    assert store.steps.hand_over([grant]) == 1
    head = begin().head
    assert (head.sends_vanished, head.sends_handed_over) == (1, 1)
    assert (head.asks_vanished, head.asks_handed_over) == (0, 0)


def test_a_conversation_with_work_does_not_expire(store, accept, begin, conversation):
    """However long it waits: its lease, its group and its channel would be lost."""
    accept("a")
    store.steps.settle(begin(), "answered")
    shard = store.keys.of(conversation)
    keys = shard.conversation(conversation), shard.timeline(conversation)
    assert all(store.redis.ttl(key) > 0 for key in keys)
    accept("b")
    assert [store.redis.ttl(key) for key in keys] == [-1, -1]


@pytest.fixture
def let_lease_have_run_out(store, conversation):
    """As if so many seconds ago, and nobody could begin since."""

    def run(seconds):
        key = store.keys.of(conversation).conversation(conversation)
        store.redis.hset(key, "lease_until", clock_ms(store.redis) - int(1000 * seconds))

    return run


def test_a_holder_whose_lease_ran_out_while_the_store_was_away_comes_first(
    store, accept, begin, refused, let_lease_have_run_out, due, journal
):
    """It may have the answer in hand; whoever begins at once asks a second time."""
    accept("a")
    holder = begin()
    let_lease_have_run_out(8)
    answer = refused()
    assert (answer.status, answer.until) == ("busy", due())
    assert store.steps.renew([holder]) == []
    assert store.steps.record(holder, "in hand").status == "holder"
    assert "asks_vanished" not in journal("a")


def test_a_holder_who_does_not_come_back_is_waited_for_once(begin, accept, refused, let_lease_have_run_out, journal):
    accept("a")
    begin()
    let_lease_have_run_out(8)
    assert refused().status == "busy"
    let_lease_have_run_out(8)
    begin()
    assert journal("a")["asks_vanished"] == "1"


@pytest.mark.parametrize("seconds", [1.5, 400])
def test_nobody_waits_for_a_holder_that_has_just_died_or_cannot_have_anything_any_more(
    accept, begin, let_lease_have_run_out, seconds
):
    accept("a")
    begin()
    let_lease_have_run_out(seconds)
    begin()


def test_a_message_that_may_be_joined_is_waited_for_behind_a_turn_that_ends(make_store, chat, conversation):
    store = make_store(join={"settle_seconds": 5, "settle_limit_seconds": 9, "max_events": 1})
    store.inbox.accept(chat(event_id="a"))
    grant = store.steps.begin(conversation, "t")
    assert isinstance(grant, Grant)
    store.inbox.accept(chat(event_id="b"))
    store.redis.delete("turns")
    assert store.steps.settle(grant, "answered").status == "settled"
    keys = store.keys.of(conversation)
    accepted_at = int(store.redis.hget(keys.journal(conversation, "b"), "accepted_at"))
    assert store.redis.zscore(keys.agenda, conversation.name) == accepted_at + 5000
    assert store.redis.llen("turns") == 0
