"""A worker is killed between the delivery of a follow-up that FluidTalk wrote and its acknowledgement, or around them.

The lead gets it once, FluidTalk is told in the end, and lists it no more.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.settings import Settings, load
from simulation.servers.system import RunningSystem
from tests.acceptance.quick_recovery import QUICK_RECOVERY
from worker.clients.fluidtalk import Characters
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(180)]

TOKEN = "ftc_live_cleo"
SETTINGS = {
    **QUICK_RECOVERY,
    "PARLEY_PERSONAS__CLEO__PLATFORM": "instagram",
    "PARLEY_PERSONAS__CLEO__PULLED_FOLLOW_UPS__ENABLED": "true",
    "PARLEY_PERSONAS__CLEO__PULLED_FOLLOW_UPS__EVERY_SECONDS": "5",
}

# Where the worker dies, and how often the lead may get the message: the channel's answer may be lost with the worker.
DELIVERIES = {
    "after begin": 1,
    "after record": 1,
    "after delivery": 2,
    "before settle": 2,
    "after settle": 1,
    "before acknowledging": 1,
    "after acknowledging": 1,
}


@pytest.fixture(scope="module")
def module_start() -> Iterator[tuple[RunningSystem, Settings]]:
    """One system for the whole module; its beat, store and upstreams stay, workers come and go."""
    with (
        pytest.MonkeyPatch.context() as patch,
        RunningSystem(personas={"cleo": TOKEN}, settings=SETTINGS, workers=0) as system,
    ):
        for name, value in system.environment.items():
            patch.setenv(name, value)
        yield system, load(env_file=None)


@pytest.mark.parametrize("point", DELIVERIES)
def test_it_is_delivered_once_and_acknowledged_in_the_end(
    module_start: tuple[RunningSystem, Settings],
    channel: dict[str, Any],
    eventually: Callable[..., None],
    point: str,
) -> None:
    system, settings = module_start
    lead, session = f"lead-{point.replace(' ', '-')}", f"session {point}"
    with Characters(TOKEN, base_url=system.upstreams.fluidtalk_url) as server, Producer(settings) as producer:
        store = Store(settings)

        def queue() -> list[str]:
            return [each.handle for each in server.followups.list(platform="instagram")]

        def sent() -> list[Any]:
            deliveries = [call for call in system.upstreams.calls() if call.service == "captivate" and call.acted]
            return [call for call in deliveries if call.session_id == session][1:]

        def nothing_waits() -> bool:
            return sum(account.waiting for account in store.books.accounts()) == 0

        doomed = system.start_worker()
        event = {"persona": "cleo", "target": lead, "channel": {**channel, "session_id": session}}
        producer.enqueue(InboundChat(**event, message="hi"))
        eventually(lambda: nothing_waits() and system.upstreams.deliveries(session), "the lead is answered", 30)
        doomed.terminate()
        doomed.wait()

        server.followups.sweep(platform="instagram")
        assert lead in queue()
        doomed = system.start_worker({"PARLEY_WORKER__CRASH_AT": point, "PARLEY_WORKER__CONCURRENCY": "1"})
        # An ack that another process has taken is taken again after a minute only: the test does not wait for it.
        eventually(lambda: doomed.poll() is not None, f"the worker dies {point}", 40)
        assert doomed.returncode == -signal.SIGKILL
        for key in store.redis.scan_iter(match="*:pulled:cleo"):
            for ref, at in store.redis.zrange(key, 0, -1, withscores=True):
                if 0 < at < float("inf"):
                    store.redis.zadd(key, {ref: 1})

        heir = system.start_worker()
        try:
            eventually(lambda: not queue() and nothing_waits(), "FluidTalk is told", 60)
            # It is asked for its list once more.
            asked = len(system.upstreams.calls())
            eventually(lambda: _lists(system, asked) >= 1, "another pull", 30)
        finally:
            heir.terminate()
            heir.wait()
        assert 1 <= len(sent()) <= DELIVERIES[point]
        assert len({call.idempotency_key for call in sent()}) == 1
        assert store.measures.take().acks_owed == {"cleo": 0}
        assert {account.unexplained for account in store.books.accounts()} == {0}
        store.close()


def _lists(system: RunningSystem, since: int) -> int:
    return sum(call.path.endswith("/followups") for call in system.upstreams.calls()[since:])
