"""Paced bubbles on real processes: killed between them, and two hundred at once in four slots."""

from __future__ import annotations

import itertools
import signal

import pytest

from config.settings import load
from simulation.servers.system import RunningSystem
from tests.acceptance.quick_recovery import QUICK_RECOVERY
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(180)]

SETTINGS = {
    **QUICK_RECOVERY,
    "PARLEY_PACING__ENABLED": "true",
    "PARLEY_PACING__MINIMUM_SECONDS": "0.5",
    "PARLEY_PACING__JITTER": "0",
    "PARLEY_JOIN__MAX_EVENTS": "1",
}

# Where the worker dies, and how often each of the three bubbles may reach the lead.
SENDS = {
    "after record": (1, 1, 1),
    "after delivery:1": (2, 1, 1),
    "before hold:1": (2, 1, 1),
    "after hold:1": (1, 1, 1),
    "after begin:2": (1, 1, 1),
    "before delivery:2": (1, 1, 1),
    "after delivery:2": (1, 2, 1),
    "before hold:2": (1, 2, 1),
    "after hold:2": (1, 1, 1),
    "after delivery:3": (1, 1, 2),
    "before settle": (1, 1, 2),
    "after settle": (1, 1, 1),
}
NOT_SENT_AGAIN = ("after hold:1", "after hold:2", "after settle")


@pytest.fixture(scope="module")
def module_start():
    """One system for the whole module; its beat, store and upstreams stay, workers come and go."""
    with pytest.MonkeyPatch.context() as patch, RunningSystem(settings=SETTINGS, workers=0) as system:
        for name, value in system.environment.items():
            patch.setenv(name, value)
        yield system, load(env_file=None)


def chat(target, channel, message):
    session = {**channel, "session_id": f"session {target}"}
    return InboundChat(persona="ava", target=target, message=message, channel=session)


def sends_of(system):
    return [call for call in system.upstreams.calls() if call.service == "captivate" and call.acted]


@pytest.mark.parametrize("point", SENDS)
def test_a_death_between_bubbles_repeats_at_most_the_one_in_doubt(module_start, channel, eventually, point):
    system, settings = module_start
    system.upstreams.reset()
    target = f"@{point.replace(' ', '-').replace(':', '-')}"
    doomed = system.start_worker({"PARLEY_WORKER__CRASH_AT": point, "PARLEY_WORKER__CONCURRENCY": "1"})
    with Producer(settings) as producer:
        producer.enqueue(chat(target, channel, "one\ntwo\nthree"))
        producer.enqueue(chat(target, channel, "four"))
    eventually(lambda: doomed.poll() is not None, f"the worker dies {point}")
    assert doomed.returncode == -signal.SIGKILL
    heir = system.start_worker()
    store = Store(settings)
    try:
        eventually(lambda: sum(account.waiting for account in store.books.accounts()) == 0, "all answered")
        moments = store.timeline.of(Conversation("ava", target))
        assert [account.unexplained for account in store.books.accounts()] == [0]
    finally:
        store.close()
        heir.terminate()
        heir.wait()

    sent = sends_of(system)
    bubbles = [name for name, times in zip(("one", "two", "three"), SENDS[point], strict=True) for _ in range(times)]
    told = [[message["text"] for message in call.fields["response"]] for call in sent]
    assert told == [[f"You said: {text}"] for text in [*bubbles, "four"]]
    assert len({call.idempotency_key for call in sent}) == 4, "one key for each bubble, also when it is sent again"
    asked = [call for call in system.upstreams.calls() if call.path.endswith("/chat") and call.acted]
    assert len(asked) == 2, "a bubble that is sent again costs no call of the persona"
    listed = [moment for moment in moments if moment.word == "resent"]
    assert len(listed) == (0 if point in NOT_SENT_AGAIN else 1)


def most_under_way(replies):
    """Of how many replies the first bubble had gone and the last had not, at the busiest moment."""
    ends = [(calls[0].start_monotonic, 1) for calls in replies] + [(calls[-1].start_monotonic, -1) for calls in replies]
    return max(itertools.accumulate(change for _, change in sorted(ends)))


@pytest.mark.timeout(300)
def test_two_hundred_paced_conversations_need_no_more_than_four_slots(start, channel, eventually):
    """If a pause kept its slot, no more than four replies would be under way at any moment."""
    paced = {**SETTINGS, "PARLEY_PACING__MINIMUM_SECONDS": "2", "PARLEY_WORKER__CONCURRENCY": "4"}
    system, settings = start(settings=paced)
    with Producer(settings) as producer:
        producer.enqueue_many([chat(f"@lead-{number}", channel, "one\ntwo\nthree") for number in range(200)])
    eventually(lambda: system.upstreams.summary()["captivate"].acted >= 600, "every bubble has arrived", 150)
    by_lead = {}
    for call in sends_of(system):
        by_lead.setdefault(call.session_id, []).append(call)
    assert len(by_lead) == 200
    for calls in by_lead.values():
        assert [call.fields["response"][0]["text"] for call in calls] == [
            "You said: one",
            "You said: two",
            "You said: three",
        ]
        pauses = [after.start_monotonic - before.start_monotonic for before, after in itertools.pairwise(calls)]
        assert min(pauses) >= 1.9
    assert most_under_way(by_lead.values()) > 4 * 4
