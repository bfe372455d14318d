"""docs/what-you-see.md: each row is made to happen; ``status``, ``check``, ``explain``, the alert and
Flower say it."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from json import loads
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from simulation.servers.system import RunningSystem
from simulation.upstreams.faults import FaultKind, FaultRule
from tests.acceptance.flower_rows import Flower, plain
from tests.acceptance.what_is_seen import FIGURE, PAGE, RULES, Seen, needs, operated, parley, table
from worker.domain.events import FollowUp, InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = pytest.mark.acceptance

# Quick, and so that nothing is taken for stuck or gone while other tests have the processor.
SETTINGS = {
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_METRICS__MEASURE_SECONDS": "1",
    "PARLEY_METRICS__PATIENCE_SECONDS": "1",
    "PARLEY_GATES__CIRCUIT_FAILURES": "2",
    "PARLEY_GATES__PROBE_SECONDS": "1",
    "PARLEY_FLUIDTALK__TOTAL_SECONDS": "5",
    "PARLEY_FLUIDTALK__READ_SECONDS": "5",
    "PARLEY_CAPTIVATE__TOTAL_SECONDS": "5",
    "PARLEY_CAPTIVATE__READ_SECONDS": "5",
    "PARLEY_WORKER__STORE_WAIT_SECONDS": "1",
    # A look, and so a sign of life, each 3 s.
    "PARLEY_WORKER__STUCK_SECONDS": "12",
    "PARLEY_WORKER__TASK_EVENTS": "true",
}


@dataclass(frozen=True)
class Row:
    """One line of the table, as a reader sees it."""

    see: str
    do: str
    alert: str
    flower: str


def rows() -> dict[str, Row]:
    found = [Row(*(plain(cells[index]) for index in (0, 2, 3, 4))) for cells in table()]
    return {row.see: row for row in found}


TABLE = rows()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    with operated(SETTINGS, tmp_path_factory.mktemp("operator")) as system:
        yield system


@pytest.fixture(scope="module")
def store(running: RunningSystem) -> Iterator[Store]:
    opened = Store(load(env_file=None), connections=2)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def flower(running: RunningSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    opened = Flower(running, tmp_path_factory.mktemp("flower"))
    deadline = time.monotonic() + 60
    while not (opened.answers() and opened.workers()):
        assert time.monotonic() < deadline, "Flower does not show the worker"
        time.sleep(0.2)
    yield opened
    opened.close()


@pytest.fixture
def until() -> Callable[..., Any]:
    """Poll as ``eventually`` does, but seldom: each look costs as much as the command, and the worker needs the
    processor, too."""

    def wait(condition: Callable[[], Any], what: Callable[[], object], seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s: {what()}")
            time.sleep(0.2)
        return value

    return wait


@pytest.fixture
def agree(running: RunningSystem, until: Callable[..., Any], flower: Flower) -> Callable[..., None]:
    """``status``, ``check``, ``explain`` of a target, the alerts and Flower say these rows, and nothing else is
    wrong."""
    seen = Seen(running)

    def check(target: str, *sentences: str, persona: str = "ava", also: tuple[str, ...] = ()) -> None:
        wanted = [TABLE[sentence] for sentence in sentences]

        def said() -> list[dict[str, str]]:
            found = needs()
            told = [plain(need["what"]) for need in found]
            others = [what for what in told if not what.startswith((*sentences, *also))]
            return [] if others or not all(any(what.startswith(row.see) for what in told) for row in wanted) else found

        found = until(said, lambda: (sentences, needs()))
        for row in wanted:
            (need,) = [each for each in found if plain(each["what"]).startswith(row.see)]
            assert plain(need["do"]) == row.do
            assert need["page"].removeprefix("docs/") in PAGE.read_text()
        checked = [plain(finding["means"]) for finding in loads(parley("check", "--json"))]
        for row in wanted:
            assert any(means.startswith(row.see) for means in checked), (row.see, checked)

            # It speaks of one of them, and for a moment of the call that tries.
            def explained(row: Row = row) -> bool:
                lines = parley("explain", persona, target).splitlines()[:2]
                return row.see.removeprefix("leads of ava are ") in plain("\n".join(lines))

            until(explained, lambda: parley("explain", persona, target))
        for row in wanted:
            shown = partial(flower.shows, row.flower, target, row.see)
            until(shown, lambda row=row: (row.flower, flower.turns(target)))
        names = {row.alert for row in wanted}
        until(lambda: names <= seen.alerts().keys(), lambda: (names, seen.alerts()))
        for name, summaries in seen.alerts().items():
            if name in names:
                (row,) = [each for each in wanted if each.alert == name]
                beginning = plain(summaries[0]).partition(FIGURE)[0].partition(",")[0].rstrip(": ").lower()
                assert beginning
                assert row.see.lower().replace("persona zoe", "a persona").startswith(beginning), (row.see, summaries)
        assert seen.alerts().keys() - names <= set(also)

    return check


@pytest.fixture
def calm(running: RunningSystem, store: Store, until: Callable[..., Any]) -> Iterator[None]:
    """All is well before the row, and its faults end with it."""
    until(lambda: not needs(), needs)
    yield
    running.upstreams.clear_faults()
    for gate in ("quarantined", "paused", "hold", "circuit", "credits"):
        store.personas.open_gate("ava", gate)
    until(lambda: not any(account.waiting for account in store.books.accounts()), store.books.accounts)


@contextmanager
def producer(**overrides: Any) -> Iterator[Producer]:
    with Producer(load(env_file=None, **overrides)) as opened:
        yield opened


@pytest.fixture
def write(running: RunningSystem, channel: dict[str, Any]) -> Callable[..., None]:
    """Leads write."""

    def accept(*targets: str, persona: str = "ava", **overrides: Any) -> None:
        with producer(**overrides) as opened:
            for target in targets:
                opened.enqueue(InboundChat(persona=persona, target=target, message="hi", channel=channel))

    return accept


def fail(system: RunningSystem, service: str, status: int, **more: Any) -> None:
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, service=service, status=status, **more))  # type: ignore[arg-type]


# ---- Upstreams -------------------------------------------------------------------------------------------------------


def test_all_is_well_at_first(calm: None, running: RunningSystem, until: Callable[..., Any]) -> None:
    assert parley("status").startswith("All well: 1 worker, 1 beat; nothing waits.")
    assert "ok       work" in parley("check")
    until(lambda: not Seen(running).alerts(), Seen(running).alerts)


@pytest.mark.usefixtures("calm")
class TestUpstreams:
    def test_upstream_down(self, running, write, agree):
        fail(running, "fluidtalk", 503)
        write("@down-1", "@down-2", "@down-3")
        agree("@down-1", "FluidTalk does not answer for ava (status 503)")

    def test_key_refused(self, running, write, agree):
        fail(running, "fluidtalk", 401)
        write("@key")
        agree("@key", "FluidTalk refuses the key of ava (status 401)")

    def test_credits_out(self, running, write, agree):
        fail(running, "fluidtalk", 402)
        write("@new")
        agree("@new", "ava has no credits for new leads (402)")

    def test_throttled(self, running, write, agree):
        fail(running, "fluidtalk", 429, retry_after_seconds=60)
        write("@much")
        agree("@much", "leads of ava are held because of: throttled by the persona (429)")
        running.upstreams.clear_faults()
        parley("forget", "ava", "@much", "--yes")

    def test_channel_down(self, running, write, agree):
        fail(running, "captivate", 503)
        write("@one", "@two", "@three")
        agree("@one", "Captivate takes no messages (status 503)")


# ---- What operators and producers do ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("calm")
class TestPeople:
    def test_an_operators_own_pause(self, write, agree):
        parley("pause", "ava", "--reason", "key rotation")
        write("@paused")
        agree("@paused", "persona ava is paused (key rotation)")

    def test_persona_not_configured(self, write, agree):
        write("@gone", persona="zoe", personas={"zoe": {"api_key": "ft_sk_zoe"}})
        agree("@gone", "persona zoe is not configured", persona="zoe")
        parley("forget", "zoe", "@gone", "--yes")

    def test_queue_that_nobody_reads(self, store, agree):
        store.redis.lpush("acept", '{"body": "", "properties": {}}')
        try:
            agree("@nobody", "messages lie in queues that no worker reads (acept: 1)")
        finally:
            store.redis.delete("acept")


# ---- The store -------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(write: Callable[..., None], store: Store) -> str:
    """A lead who waits, whatever the store does."""
    store.personas.pause("ava", "until the row is over")
    write("@waits")
    return "@waits"


ALSO = ("persona ava is paused", "ParleyPersonaPaused")


@pytest.mark.usefixtures("calm")
class TestStore:
    def test_store_full(self, held, store, agree):
        store.redis.config_set("maxmemory", "1mb")
        try:
            agree(held, "the store is full (OOM)", also=ALSO)
            alive = loads(parley("status", "--json"))["alive"]
            assert (alive["workers"], alive["beats"]) == (1, 1)
        finally:
            store.redis.config_set("maxmemory", "0")

    def test_too_few_replicas(self, held, store, agree):
        store.redis.config_set("min-replicas-to-write", 1)
        try:
            agree(held, "the store takes no writes: it has too few replicas to write (NOREPLICAS)", also=ALSO)
        finally:
            store.redis.config_set("min-replicas-to-write", 0)

    def test_a_replica(self, held, store, agree):
        store.redis.replicaof("127.0.0.1", 1)
        try:
            agree(held, "the store takes no writes: it is a replica (READONLY)", also=ALSO)
        finally:
            store.redis.replicaof("NO", "ONE")

    def test_a_disk_that_cannot_be_written(self, running, held, store, agree):
        (running.redis.directory / "dump.rdb").mkdir()
        store.redis.config_set("save", "3600 1")
        store.redis.bgsave()
        try:
            agree(held, "the store takes no writes: it cannot write to its disk (MISCONF)", also=ALSO)
        finally:
            store.redis.config_set("save", "")


# ---- Processes: one after the other, to the end of all ---------------------------------------------------------------


def test_processes(running, store, write, agree, calm, channel, until):
    worker, beat = running.workers[0], running.beats[0]
    # Longer than it takes to look and to stop the worker, so that the lead still waits then.
    fail(running, "fluidtalk", 503, first=1, retry_after_seconds=20)
    write("@held")
    until(lambda: "held because" in parley("explain", "ava", "@held"), lambda: parley("explain", "ava", "@held"))
    worker.send_signal(signal.SIGSTOP)
    agree("@held", "no worker is alive: HOST:PID is frozen")

    worker.kill()
    worker.wait()
    agree("@held", "no worker is alive: HOST:PID is dead")

    beat.kill()
    beat.wait()
    agree("@held", "no worker is alive: HOST:PID is dead", "no beat is alive: HOST:PID is dead")

    running.start_worker(options=("-Q", "turns,outreach"))
    agree("@held", "no beat is alive: HOST:PID is dead")

    running.start_beat()
    late = datetime.now(UTC) - timedelta(minutes=10)
    store.follow_ups.schedule(FollowUp(persona="ava", target="@held", not_before=late, channel=channel))
    agree("@held", "no worker takes the queue schedule: what is due is N late", "follow-ups are N late")

    running.start_worker()
    until(lambda: not needs(), needs)


def test_each_row_of_the_page_is_made_to_happen_here():
    own = Path(__file__).read_text()
    assert [see for see in TABLE if see not in own] == []


def test_the_page_names_each_alert_rightly():
    known = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in RULES}
    for name, link in re.findall(r"\[(Parley\w+)]\(([^)]*)\)", PAGE.read_text()):
        assert f"docs/{link}" == known[name]
