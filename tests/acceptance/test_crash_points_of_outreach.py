"""A worker dies at each step of outreach.

What counts against the cap is what may have reached the lead, and nothing goes out to a lead who says STOP before
another worker continues.
"""

from __future__ import annotations

import signal

import pytest

from config.settings import load
from simulation.servers.system import RunningSystem
from tests.acceptance.quick_recovery import QUICK_RECOVERY
from worker.domain.events import EventTrigger, InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(180)]

SETTINGS = {
    **QUICK_RECOVERY,
    "PARLEY_FREQUENCY__PER_LEAD_PER_DAY": "1",
    "PARLEY_PERSONAS__AVA__UNKNOWN__EVENT_TRIGGER": "ask_again",
}
PERSONAS = {"ava": "ft_sk_ava", "bea": "ft_sk_bea"}

# Where the worker dies; how often the persona may be asked, and how often the lead may get the message.
COSTS = {
    "after begin": (1, 1),
    "after reserving": (1, 1),
    "before ask": (1, 1),
    "after ask": (2, 1),
    "after record": (1, 1),
    "before delivery": (1, 1),
    "after delivery": (1, 2),
    "before counting": (1, 2),
    "before settle": (1, 2),
    "after settle": (1, 1),
}
ASKED = ("after ask", "after record", "before delivery")
# For all that the next worker knows, it may have arrived: then it counts.
IN_DOUBT = ("after record", "before delivery")
NOT_DELIVERED = ("after begin", "after reserving", "before ask", *ASKED)


@pytest.fixture(scope="module")
def module_start():
    """One system for the whole module; its beat, store and upstreams stay, workers come and go."""
    with (
        pytest.MonkeyPatch.context() as patch,
        RunningSystem(personas=PERSONAS, settings=SETTINGS, workers=0) as system,
    ):
        for name, value in system.environment.items():
            patch.setenv(name, value)
        yield system, load(env_file=None)


class Scene:
    """A worker that dies at a point with a trigger of ava in its hands, and what happens afterwards."""

    def __init__(self, system, settings, channel, eventually):
        self.system, self.channel, self.eventually = system, channel, eventually
        self.store, self.producer = Store(settings), Producer(settings)

    def dies(self, point, target):
        self.target = target
        doomed = self.system.start_worker({"PARLEY_WORKER__CRASH_AT": point, "PARLEY_WORKER__CONCURRENCY": "1"})
        self.trigger("ava")
        self.eventually(lambda: doomed.poll() is not None, f"the worker dies {point}", 20)
        assert doomed.returncode == -signal.SIGKILL

    def trigger(self, persona):
        event = {"event_type": "story_reaction", "context": {}}
        session = self.session(persona)
        self.producer.enqueue(EventTrigger(persona=persona, target=self.target, channel=session, **event))

    def stop(self):
        session = self.session("ava")
        self.producer.enqueue(InboundChat(persona="ava", target=self.target, message="STOP", channel=session))

    def session(self, persona):
        return {**self.channel, "session_id": f"session {persona} {self.target}"}

    def finish(self, *further):
        heir = self.system.start_worker()
        try:
            self.all_ends()
            for persona in further:
                self.trigger(persona)
                self.all_ends()
        finally:
            heir.terminate()
            heir.wait()
        assert {account.unexplained for account in self.store.books.accounts()} == {0}

    def all_ends(self):
        books = self.store.books
        self.eventually(lambda: sum(account.waiting for account in books.accounts()) == 0, "all has its end", 30)

    def acted(self, service, persona="ava"):
        calls = [call for call in self.system.upstreams.calls() if call.service == service and call.acted]
        if service == "fluidtalk":
            return sum(call.persona == persona and call.target == self.target for call in calls)
        return sum(call.session_id == f"session {persona} {self.target}" for call in calls)

    def places(self):
        keys = self.store.keys.lead_keys(self.target)
        return [self.store.redis.zcard(key) for key in (keys.told, keys.reserved)]


@pytest.fixture
def scene(module_start, channel, eventually):
    """One for each test, on the same system."""
    system, settings = module_start
    system.upstreams.reset()
    made = Scene(system, settings, channel, eventually)
    yield made
    made.producer.close()
    made.store.close()


@pytest.mark.parametrize("point", COSTS)
def test_the_cap_counts_what_may_have_arrived_once(scene, point):
    scene.dies(point, f"@cap-{point.replace(' ', '-')}")
    scene.finish("bea")
    assert (scene.acted("fluidtalk"), scene.acted("captivate")) == COSTS[point]
    assert scene.places() == [1, 0]
    assert scene.acted("captivate", "bea") == 0, "the lead has had enough"


@pytest.mark.parametrize("point", NOT_DELIVERED)
def test_nothing_goes_out_to_a_lead_who_says_stop_meanwhile(scene, point):
    scene.dies(point, f"@stop-{point.replace(' ', '-')}")
    scene.stop()
    scene.finish("bea")
    assert (scene.acted("fluidtalk"), scene.acted("captivate")) == (int(point in ASKED), 0)
    assert scene.acted("captivate", "bea") == (0 if point in IN_DOUBT else 1), "the place that nothing came of is free"
    assert scene.places() == [1, 0]
