"""``parley explain``: the first line says why there is no answer and what will end that."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.cli.explanation import Around, explain, next_follow_up
from worker.domain.cadence import TouchState
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.store.heartbeats import Alive, Gone
from worker.store.redis.troubles import Trouble
from worker.store.views.situation import Situation
from worker.store.views.timeline import Moment

NOW = 1_800_000_000_000

WAITING = Situation(
    conversation=Conversation("ava", "@lead"),
    now=NOW,
    known=True,
    waiting=1,
    due=NOW + 4000,
    rings=0,
    leased=False,
    lease_until=0,
    hold_until=0,
    hold_reason="",
    sealed_at=0,
    sealed_by="",
    taken_over="",
    taken_over_at=0,
    last_inbound=0,
    started=True,
    head="a",
    step="waiting",
    kind="inbound_chat",
    joining="no",
    accepted_at=NOW - 1000,
    asks=0,
    sends=0,
    replied=False,
    bubbles_sent=0,
    gates={},
    ready=False,
)
ASKING = {"leased": True, "lease_until": NOW + 5000, "step": "asking", "asks": 2}
HELD = {"hold_until": NOW + 30_000, "hold_reason": "no answer (status 502)", "asks": 3}
BETWEEN_BUBBLES = {"hold_until": NOW + 5000, "hold_reason": "next bubble 2 of 3", "replied": True, "bubbles_sent": 1}
CIRCUIT = {"circuit_until": str(NOW + 9000), "circuit_reason": "no_answer status=503"}
CREDITS = {"credits_until": str(NOW + 9000), "credits_reason": "credits out (402)"}
WALLET = {**CREDITS, "credits_reason": "credits_out leads=all"}
PAUSED_THERE = {**CREDITS, "credits_reason": "credits_out reason=plan_limit leads=all"}
HELD_FOR_CREDITS = {"hold_until": NOW + 5000, "hold_reason": "credits_out reason=plan_limit leads=all"}
STOPPED = {"gates": {"outreach": "15 of the last 50"}}
PLANNED = TouchState("ava:@lead", due=NOW + 14_400_000, rule="step 1 of 2, after 5 h of silence")
TYPING = {"joining": "open", "due": NOW + 1100}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"known": False, "waiting": 0}, "Nothing is known of this conversation"),
        ({"waiting": 0, "sealed_at": NOW}, "The persona ended this conversation on 2027-01-15 08:00:00 UTC"),
        (
            {"waiting": 0, "sealed_at": NOW, "sealed_by": "kim: stop"},
            "Sealed on 2027-01-15 08:00:00 UTC by kim: stop: later events end as sealed without a call; "
            "it goes on after: parley unseal ava @lead",
        ),
        (
            {"taken_over": "livechat", "taken_over_at": NOW},
            "A person has this conversation since 2027-01-15 08:00:00 UTC (the channel has a person in it), so the "
            "persona is silent; 1 event waits; it goes on after: parley hand-back ava @lead.",
        ),
        ({"taken_over": "escalated", "taken_over_at": NOW, "waiting": 0}, "(Parley escalated it), so the persona is"),
        ({**ASKING, "taken_over": "claimed by kim", "taken_over_at": NOW}, "(claimed by kim), so the persona"),
        ({"waiting": 0}, "Nothing waits, and the timeline no longer says"),
        (
            {"conversation": Conversation("zoe", "@x")},
            "persona zoe is not configured; configure it and restart the workers",
        ),
        (ASKING, "a worker is asking the persona (attempt 2); that takes 75 s at most"),
        ({**ASKING, "step": "delivering", "sends": 1}, "delivering the answer (attempt 1); that takes 25 s at most"),
        (
            {**ASKING, "lease_until": NOW - 1},
            "the worker that had it is frozen or dead: another one, if one runs, takes over in 4 s",
        ),
        (HELD, "held because of: no answer (status 502); tried again in 30 s (3 attempts so far)"),
        (
            {"hold_until": NOW + 14_400_000, "hold_reason": "outreach ramp", "kind": "ai_opener"},
            "the opener waits for its moment in the outreach ramp, in 4 h (2027-01-15 12:00:00 UTC), unless the lead "
            "writes first: parley outreach ava",
        ),
        (
            {"hold_until": NOW + 14_400_000, "hold_reason": "quiet hours", "kind": "follow_up"},
            "it is night where the lead is (quiet hours); it goes out in 4 h (2027-01-15 12:00:00 UTC).",
        ),
        (
            {"hold_until": NOW + 14_400_000, "hold_reason": "frequency_cap", "kind": "ai_opener"},
            "the lead has heard enough of all personas for now; it goes out in 4 h (2027-01-15 12:00:00 UTC), unless",
        ),
        ({**HELD, "hold_until": NOW + 240_000}, "tried again in 4 min (2027-01-15 08:04:00 UTC) (3 attempts"),
        (BETWEEN_BUBBLES, "its answer goes out bubble by bubble; next bubble 2 of 3 at 08:00:05 UTC"),
        ({**BETWEEN_BUBBLES, "sends": 2}, "held because of: next bubble 2 of 3; tried again in 5 s (2 attempts"),
        (
            {**ASKING, **BETWEEN_BUBBLES, "step": "delivering", "sends": 1},
            "delivering bubble 2 of the answer (attempt 1)",
        ),
        ({"gates": {"paused": "holiday"}}, "paused (holiday); when its reason is gone: parley resume ava"),
        (
            {"gates": {"quarantined": "key_refused status=401"}},
            "FluidTalk refuses the key of ava (status 401); correct its",
        ),
        ({"gates": {"hold_until": str(NOW + 20_000), "hold_reason": "429"}}, "waits (429); it goes on in 20 s"),
        ({"gates": {"hold_until": str(NOW - 1), "hold_reason": "429"}}, "as soon as one is free"),
        ({"gates": CIRCUIT}, "FluidTalk does not answer for ava (status 503); one call tries it in 9 s"),
        ({"gates": CREDITS, "started": False}, "ava has no credits for new leads (402); one call tries it in 9 s"),
        ({"gates": CREDITS}, "as soon as one is free"),
        ({"gates": WALLET}, "ava has no credits (402); one call tries it in 9 s"),
        ({"gates": PAUSED_THERE, **HELD_FOR_CREDITS}, "ava is paused at FluidTalk (plan_limit); one call tries it"),
        ({"gates": {"paused": "holiday"}, "replied": True}, "as soon as one is free"),
        ({**STOPPED, "kind": "ai_opener"}, "sends no openers and follow-ups (15 of the last 50); when the cause is"),
        ({**STOPPED, "kind": "ai_opener", "lead_wrote": True}, "as soon as one is free"),
        (STOPPED, "as soon as one is free"),
        ({"kind": "follow_up", "ready": True}, "it is ready; a beat rings for so many openers and follow-ups at each"),
        (TYPING, "the lead may still be typing; asked in 1 s unless more comes"),
        ({**TYPING, "waiting": 3}, "3 events wait: the lead may still be typing"),
        (
            {"due": NOW - 60_000},
            "no worker takes the queue schedule: what is due is 60 s late; start a worker for all queues",
        ),
        ({"rings": 4}, "rung 4 times and no worker took it; start a worker"),
        ({}, "1 event waits: a worker takes it as soon as one is free; its doorbell rings again in 4 s"),
    ],
)
def test_each_situation_has_its_sentence(changes, said, make_settings):
    settings = make_settings(join={"settle_seconds": 1.2})
    assert said in explain(replace(WAITING, **changes), [], settings)


GONE = {
    "worker": Alive(0, 1, (Gone("worker", "host:7", NOW - 9000, "frozen"),)),
    "beat": Alive(1, 0, (Gone("beat", "host:8", NOW - 9000, "dead"),)),
    "both": Alive(0, 0, (Gone("worker", "host:7", NOW, "dead"), Gone("beat", "host:8", NOW, "dead"))),
}
FROZEN = "no worker is alive: host:7 is frozen; end it (kill -9 7), then start one: celery -A worker worker"
REPLICA = Trouble("READONLY", "is a replica", "wait for the fail-over to end")


@pytest.mark.parametrize(
    ("changes", "around", "said"),
    [
        ({}, Around(GONE["worker"]), f"1 event waits: {FROZEN}"),
        ({**ASKING, "lease_until": NOW - 1, "due": NOW - 60_000}, Around(GONE["worker"]), f"1 event waits: {FROZEN}"),
        (ASKING, Around(GONE["worker"]), "a worker is asking the persona"),
        (ASKING, Around(refusal=Trouble("OOM", "is full", "make room")), "a worker is asking the persona"),
        ({"due": NOW - 60_000}, Around(GONE["beat"]), "no beat is alive: host:8 is dead; look at the end of its log"),
        ({"gates": CIRCUIT}, Around(GONE["beat"]), "1 event waits: no beat is alive: host:8 is dead"),
        (HELD, Around(GONE["both"]), "no worker is alive: host:7 is dead and no beat is alive: host:8 is dead; look"),
        ({}, Around(Alive(0, 1)), "no worker is alive: none has run so far; start one: celery -A worker worker"),
        ({"gates": {"paused": "x"}}, Around(GONE["worker"]), "ava; besides, no worker is alive: host:7 is frozen"),
        ({**ASKING, "lease_until": NOW - 1}, Around(Alive(2, 1)), "frozen or dead: another one takes over in 4 s"),
        (
            {},
            Around(GONE["both"], REPLICA),
            "1 event waits: the store takes no writes: it is a replica (READONLY); wait",
        ),
        (ASKING, Around(refusal=REPLICA), "the store takes no writes: it is a replica (READONLY); wait"),
        (
            {"known": False, "waiting": 0},
            Around(unread={"acept": 1}),
            "arrives); messages lie in queues that no worker reads (acept: 1).",
        ),
    ],
)
def test_it_looks_which_processes_live_before_it_speaks(changes, around, said, make_settings):
    assert said in explain(replace(WAITING, **changes), [], make_settings(), around)


@pytest.mark.parametrize(
    ("word", "details", "said"),
    [
        ("answered", ("", 1), "the last turn ended at 2027-01-15 08:00:00 UTC as answered."),
        ("skipped", ("the lead wrote in the meantime", 1), "as skipped (the lead wrote in the meantime)."),
        ("dead", ("gave up", 1), "became a dead letter at 2027-01-15 08:00:00 UTC (gave up): see parley dead list"),
        ("refused", ("TooLarge: message",), "was refused at the door"),
        ("discarded", ("a",), "an operator discarded a dead event"),
    ],
)
def test_when_nothing_waits_the_last_end_is_told(word, details, said, make_settings):
    moments = [Moment(datetime.fromtimestamp(NOW / 1000, UTC), word, details)]
    assert said in explain(replace(WAITING, waiting=0), moments, make_settings())


@pytest.mark.parametrize(
    ("touch", "said"),
    [
        (
            replace(PLANNED, due=NOW - 400_000),
            "Its next one too: follow-ups are 7 min late; see whether workers take the queue schedule, and whether "
            "many are due at once.",
        ),
        (PLANNED, "Next follow-up in 4 h (2027-01-15 12:00:00 UTC): step 1 of 2, after 5 h of silence."),
        (TouchState("ava:@lead"), ""),
        (TouchState("ava:@lead", quiet_from=NOW, step=2), "No follow-up: the cadence is over."),
        (TouchState("ava:@lead", over="the conversation is sealed"), "No follow-up: the conversation is sealed."),
    ],
)
def test_the_next_follow_up_is_told_with_its_rule(touch, said, make_settings):
    settings = make_settings(follow_ups={"delays_seconds": [3600, 7200]})
    assert next_follow_up(WAITING, touch, settings) == said


def test_the_work_of_an_explanation_does_not_grow_with_the_store(parley, store, chat, turn):
    def commands():
        return sum(int(row["calls"]) for row in store.redis.info("commandstats").values())

    def one():
        before = commands()
        assert parley("explain", "ava", "@lead").status == 0
        return commands() - before

    def cost():
        # The least of some: a thread that another test has left may do something on this server, too.
        return min(one() for _ in range(3))

    store.inbox.accept(chat("a"))
    few = cost()
    for number in range(200):
        store.inbox.accept(chat(f"b{number}", target=f"@lead{number}"))
    assert cost() == few
    assert few < 30


def test_the_next_follow_up_stands_below_the_sentence(parley, store, channel):
    at = datetime.now(UTC) + timedelta(hours=3)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@lead", not_before=at, channel=channel))
    lines = parley("explain", "ava", "@lead").out.splitlines()
    assert lines[1].startswith("Next follow-up in 3 h (20")
    assert lines[1].endswith("): asked for by a producer.")
    assert f"for {at:%Y-%m-%d %H:%M:%S}, asked for by a producer" in lines[-1]
    assert json.loads(parley("explain", "ava", "@lead", "--json").out)["next_follow_up"]["at_ms"] > NOW / 2


@pytest.mark.parametrize("hours", [3, -3], ids=["its time has not come", "it is late"])
def test_a_follow_up_of_a_persona_that_is_not_configured_is_told_as_held(parley, store, channel, hours):
    at = datetime.now(UTC) + timedelta(hours=hours)
    store.follow_ups.schedule(FollowUp(persona="zoe", target="@lead", not_before=at, channel=channel))
    told = parley("explain", "zoe", "@lead").out.splitlines()[1]
    when = "in 3 h (20" if hours > 0 else "now, "
    assert told.startswith(f"Next follow-up {when}")
    assert ", but persona zoe is not configured; configure it and restart the workers; or give its leads up" in told


@pytest.fixture
def alive(store):
    """A worker and a beat give signs of life."""
    store.processes.sign("worker", 60)
    store.processes.sign("beat", 60)


def test_the_sentence_comes_first_then_the_timeline(parley, store, chat, turn, alive):
    store.inbox.accept(chat("a"))
    store.inbox.accept(chat("b"))
    store.personas.pause("ava", "key rotation")
    lines = parley("explain", "ava", "@lead").out.splitlines()
    assert lines[0] == "2 events wait: persona ava is paused (key rotation); when its reason is gone: parley resume ava"
    assert [line.split()[-4:] for line in lines[4:]] == [["accepted", "inbound_chat,", "event", name] for name in "ab"]


def test_every_word_of_a_whole_life_is_told_without_content(parley, store, chat, turn, alive):
    store.inbox.accept(chat("a"))
    grant = store.steps.begin(Conversation("ava", "@lead"), "t")
    store.steps.hold(grant, 60, "no answer (status 502)", unknown=True)
    out = parley("explain", "ava", "@lead").out
    assert "held because of: no answer (status 502)" in out.splitlines()[0]
    assert "attempt 1, fence 1, events 1" in out
    assert "outcome unknown" in out
    assert "secret" not in out


def test_as_json(parley, store, chat):
    store.inbox.accept(chat("a"))
    told = json.loads(parley("explain", "ava", "@lead", "--json").out)
    assert (told["persona"], told["target"], told["waiting"]) == ("ava", "@lead", 1)
    assert told["timeline"][0]["word"] == "accepted"
    assert datetime.fromisoformat(told["timeline"][0]["at"]).tzinfo


def test_a_conversation_written_as_one_word_is_wrong_usage(parley):
    ended = parley("explain", "ava:@lead", "@lead")
    assert (ended.status, "as two words" in ended.err) == (2, True)


def test_explaining_changes_nothing(parley, store, chat):
    store.inbox.accept(chat("a"))
    before = snapshot(store)
    parley("explain", "ava", "@lead")
    assert snapshot(store) == before


def snapshot(store):
    readers = {"hash": store.redis.hgetall, "list": lambda key: store.redis.lrange(key, 0, -1)}
    readers["zset"] = lambda key: store.redis.zrange(key, 0, -1, withscores=True)
    return {key: readers[store.redis.type(key)](key) for key in store.redis.scan_iter()}
