"""A worker dies at each step of a turn; another one finishes, with the effects that docs/ordering.md, 7 allows."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest

from config.settings import load
from simulation.servers.system import RunningSystem
from simulation.upstreams.faults import FaultKind, FaultRule
from tests.acceptance.quick_recovery import QUICK_RECOVERY
from worker.domain.conversation import Conversation
from worker.domain.events import Attachment, InboundChat
from worker.pipeline.failpoints import CRASH_POINTS
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

SETTINGS = {
    **QUICK_RECOVERY,
    "PARLEY_RETRY__PAUSE_SECONDS": "0.2",
    "PARLEY_JOIN__MAX_EVENTS": "1",
}


@dataclass(frozen=True)
class Allowed:
    """What a death at a step may cost: calls for the first message, and what the timeline calls the repetition."""

    asks: int
    sends: int
    uploads: int = 0
    listed: tuple[str, ...] = ()


ALLOWED = {
    "after begin": Allowed(asks=1, sends=1, listed=("second ask",)),
    # Its image comes first: nothing was asked yet.
    "after hosting an image": Allowed(asks=1, sends=1, uploads=1),
    "before ask": Allowed(asks=1, sends=1, listed=("second ask",)),
    "after ask": Allowed(asks=2, sends=1, listed=("second ask",)),
    "after record": Allowed(asks=1, sends=1, listed=("resent",)),
    "before delivery": Allowed(asks=1, sends=1, listed=("resent",)),
    "after delivery": Allowed(asks=1, sends=2, listed=("resent",)),
    "before settle": Allowed(asks=1, sends=2, listed=("resent",)),
    "after settle": Allowed(asks=1, sends=1),
    # The first ask is throttled and not acted on; the death comes with the hold that follows.
    "before hold": Allowed(asks=1, sends=1, listed=("second ask",)),
    "after hold": Allowed(asks=1, sends=1),
}


@pytest.fixture(scope="module")
def module_start():
    """One system for the whole module; its beat, store and upstreams stay, workers come and go."""
    with pytest.MonkeyPatch.context() as patch, RunningSystem(settings=SETTINGS, workers=0) as system:
        for name, value in system.environment.items():
            patch.setenv(name, value)
        yield system, load(env_file=None)


def chats(target, count, channel, attachment):
    session = {**channel, "session_id": f"session {target}"}
    return [
        InboundChat(
            persona="ava",
            target=target,
            message=f"{number} to {target}",
            channel=session,
            attachments=(attachment,) if attachment and not number else (),
        )
        for number in range(count)
    ]


def test_every_point_has_its_row():
    # The others lie on the way of outreach only: test_crash_points_of_outreach.py, test_pulled_follow_ups.py.
    outreach = {"after reserving", "before counting", "before acknowledging", "after acknowledging"}
    assert {*ALLOWED, *outreach} == set(CRASH_POINTS)


# Before the call, with it made, with its answer stored, with its answer sent: the others differ from these in little.
OFTEN = ("after begin", "after ask", "after record", "after delivery")


@pytest.mark.parametrize(
    "point", [point if point in OFTEN else pytest.param(point, marks=pytest.mark.slow) for point in ALLOWED]
)
def test_a_death_costs_what_is_allowed_and_no_more(module_start, channel, eventually, point):
    system, settings = module_start
    allowed, upstreams, target = ALLOWED[point], system.upstreams, f"@{point.replace(' ', '-')}"
    upstreams.reset()
    if point.endswith("hold"):
        upstreams.add_fault(
            FaultRule(kind=FaultKind.ANSWER, service="fluidtalk", status=429, retry_after_seconds=0.2, first=1)
        )
    photo = Attachment(url=f"{upstreams.fluidtalk_url}/media/photo.png", filename="photo.png")
    # One turn at a time: with several, the next message's turn could begin before the process is dead.
    doomed = system.start_worker({"PARLEY_WORKER__CRASH_AT": point, "PARLEY_WORKER__CONCURRENCY": "1"})
    with Producer(settings) as producer:
        producer.enqueue_many(chats(target, 3, channel, photo if "image" in point else None))
    eventually(lambda: doomed.poll() is not None, f"the worker dies {point}")
    assert doomed.returncode == -signal.SIGKILL
    heir = system.start_worker()
    store = Store(settings)
    try:
        eventually(lambda: sum(account.waiting for account in store.books.accounts()) == 0, "all answered", 20)
        words = [moment.word for moment in store.timeline.of(Conversation("ava", target))]
        assert [account.unexplained for account in store.books.accounts()] == [0]
    finally:
        store.close()
        heir.terminate()
        heir.wait()

    acted = [call for call in upstreams.calls() if call.acted]
    uploads = [call for call in acted if call.path.endswith("/upload")]
    asked = [call.fields["message"] for call in acted if call.path.endswith("/chat")]
    sent = [call for call in acted if call.service == "captivate"]
    told = [call.fields["response"][0]["text"] for call in sent]
    first, second, third = (f"{number} to {target}" for number in range(3))
    assert asked == [first] * allowed.asks + [second, third]
    assert told == [f"You said: {first}"] * allowed.sends + [f"You said: {second}", f"You said: {third}"]
    assert len({call.idempotency_key for call in sent}) == 3, "one key for each message, the same for both sends"
    assert len(uploads) == allowed.uploads
    assert tuple(word for word in words if word in ("second ask", "resent")) == allowed.listed
    assert words.count("answered") == 3


# What a person says in the persona's place: sends that a death at a step may cost.
SAID = {"after begin": 1, "before delivery": 1, "after delivery": 2, "before settle": 2, "after settle": 1}


@pytest.mark.parametrize(
    "point", [point if point == "after delivery" else pytest.param(point, marks=pytest.mark.slow) for point in SAID]
)
def test_what_an_operator_says_survives_a_death_once_and_in_order(module_start, channel, eventually, point):
    system, settings = module_start
    upstreams, lead = system.upstreams, Conversation("ava", f"@said-{point.replace(' ', '-')}")
    upstreams.reset()
    with Producer(settings) as producer:
        producer.enqueue_many(chats(lead.target, 1, channel, None))
    store = Store(settings)
    try:
        store.takeovers.claim(lead, "kim")
        doomed = system.start_worker({"PARLEY_WORKER__CRASH_AT": point, "PARLEY_WORKER__CONCURRENCY": "1"})
        for text in ("first", "second"):
            assert store.operator_messages.say(lead, "kim", text).status == "accepted"
        eventually(lambda: doomed.poll() is not None, f"the worker dies {point}")
        heir = system.start_worker()
        eventually(lambda: store.inbox.waiting(lead) == 1, "both are delivered, and the lead's message waits", 20)
        heir.terminate()
        heir.wait()
        words = [moment.word for moment in store.timeline.of(lead)]
        store.takeovers.hand_back(lead, "none")
        assert [account.unexplained for account in store.books.accounts()] == [0]
    finally:
        store.close()
    sent = [call for call in upstreams.calls() if call.service == "captivate" and call.acted]
    assert [call.fields["response"][0]["text"] for call in sent] == ["first"] * SAID[point] + ["second"]
    assert len({call.idempotency_key for call in sent}) == 2
    assert words.count("answered") == 2
    assert not [call for call in upstreams.calls() if call.service == "fluidtalk"]
