"""docs/what-you-see.md, the tables of the doors: each row is made to happen. ``status``, ``check``, the alert and the
metrics say it, and senders get what they are said to get."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.settings import load
from simulation.processes import end
from simulation.servers.embedded_redis import free_port
from simulation.servers.system import INGRESS_TOKEN, RunningSystem
from simulation.until import until
from tests.acceptance.flower_rows import plain
from tests.acceptance.what_is_seen import RULES, Seen, needs, operated, parley, table
from tests.notice_receiver import SECRET, Receiver, receiving
from worker.domain.conversation import Conversation
from worker.domain.events import parse
from worker.store import Store
from worker.store.redis.ahead import advance

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

DAY_SECONDS = 86_400
LATE_SECONDS = 600
NOTICES = {plain(see): (plain(do), plain(alert)) for see, _, do, alert in table("Notices")}
SENDERS = {see: (do, dict(re.findall(r'(\w+)="(\w+)"', labels))) for see, _, do, labels in table("What senders get")}
TOKENS = {"shop": INGRESS_TOKEN, "limited": "token-of-limited-0123456789", "hasty": "token-of-hasty-0123456789"}
CHAT = {"kind": "inbound_chat", "persona": "ava", "message": "hi", "channel": {"session_id": "s", "metadata": {}}}
SOURCES = "PARLEY_INGRESS__SOURCES__"
SETTINGS = {
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_METRICS__MEASURE_SECONDS": "1",
    "PARLEY_NOTICES__KEEP": "true",
    "PARLEY_LIMITS__INBOX_EVENTS": "2",
    f"{SOURCES}SHOP__TOKEN": TOKENS["shop"],
    f"{SOURCES}LIMITED__TOKEN": TOKENS["limited"],
    f"{SOURCES}LIMITED__KINDS": "ai_opener",
    f"{SOURCES}HASTY__TOKEN": TOKENS["hasty"],
    f"{SOURCES}HASTY__PER_SECOND": "0.001",
    f"{SOURCES}HASTY__BURST": "1",
    # That of the simulation has the token of the shop.
    f"{SOURCES}SIMULATION__TOKEN": "token-of-nobody-0123456789",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    with operated(SETTINGS, tmp_path_factory.mktemp("operator")) as system:
        yield system


@pytest.fixture(scope="module")
def store(running: RunningSystem) -> Iterator[Store]:
    """Its clock can be set, for those who look at it so: workers and commands do not."""
    with closing(Store(load(env_file=None), connections=2, ahead=True)) as opened:
        yield opened


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


class Web:
    """The web process that pushes to the receiver and has the ingress."""

    def __init__(self, system: RunningSystem, receiver: Receiver) -> None:
        self._system = system
        self._receiver = receiver

    def start(self, *, steps: bool = False) -> None:
        endpoint = "PARLEY_NOTICES__ENDPOINTS__CRM__"
        settings = {
            f"{endpoint}URL": self._receiver.url,
            f"{endpoint}SECRET": SECRET,
            f"{endpoint}ALLOW_PRIVATE_ADDRESSES": "true",
            f"{endpoint}AT_ONCE": "1",
            "PARLEY_METRICS__PORT": str(free_port()),
        }
        self._system.start_web(settings, module="simulation.chaos.stepping_web" if steps else "worker.web")
        number = len(self._system.webs) - 1
        until(lambda: self._system.is_ready(number, "web"), "the ingress listens", seconds=120)

    def stop(self) -> None:
        end(self._system.webs[-1])

    def post(self, source: str, event: dict[str, Any] | bytes) -> httpx.Response:
        content = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers = {"Authorization": f"Bearer {TOKENS.get(source, 'of-a-stranger-0123456789')}"}
        address = f"{self._system.ingresses[-1]}/v1/events"
        return httpx.post(address, content=content, headers={**headers, "Content-Type": "application/json"}, timeout=60)


@pytest.fixture(scope="module")
def web(running: RunningSystem, receiver: Receiver) -> Web:
    started = Web(running, receiver)
    started.start()
    return started


@pytest.fixture
def note(store: Store) -> Callable[..., Conversation]:
    """Have notices of a lead written, as if so long ago. Each lead has a shard of its own."""
    used: set[str] = set()

    def write(number: int = 1, *, ago: float = LATE_SECONDS) -> Conversation:
        leads = (Conversation("ava", f"@lead-{time.monotonic_ns()}") for _ in range(10_000))
        lead = next(each for each in leads if not store.redis.xlen(store.keys.of(each).notices))
        used.add(lead.target)
        advance(store.redis, -ago)
        for at in range(number):
            store.consents.write(lead, "in" if at % 2 else "out", "zoe")
        advance(store.redis, ago)
        return lead

    return write


@pytest.fixture
def says(running: RunningSystem, web: Web, store: Store, receiver: Receiver) -> Iterator[Callable[..., None]]:
    """``status``, ``check`` and the alert say this row, and nothing else is wrong; then all is well again."""
    seen = Seen(running)
    until(lambda: not needs(), "all is well before the row", seconds=90, pause_seconds=0.2)

    def check(see: str) -> None:
        wanted = plain(see)
        do, alert = NOTICES[wanted]

        def told() -> dict[str, str] | None:
            found = needs()
            whats = [plain(need["what"]).split(", they are")[0] for need in found]
            return found[0] if whats == [wanted.split(", they are")[0]] else None

        need = until(told, wanted, seconds=90, pause_seconds=0.2)
        assert plain(need["do"]) == do
        assert any(plain(each["means"]).startswith(wanted) for each in json.loads(parley("check", "--json")))
        until(lambda: alert in seen.alerts(), alert, seconds=90, pause_seconds=0.2)
        assert seen.alerts()[alert][0].startswith("Notices to crm are ")

    yield check
    receiver.says = lambda event: 204
    until(lambda: not store.endpoints.behind(store.endpoints.state("crm")), "all are pushed", seconds=90)
    # The shards are free for those of the next row.
    for shard in store.keys.shards:
        store.redis.xtrim(shard.notices, maxlen=0, approximate=False)


# ---- Notices ---------------------------------------------------------------------------------------------------------


def test_a_receiver_that_fails(says, note, receiver):
    receiver.says = lambda event: 500
    note()
    says("notices to crm are 10 min late: its receiver does not take them (status=500)")


def test_a_receiver_that_is_slow(says, note, receiver):
    is_quick = threading.Event()

    def slowly(event: dict[str, Any]) -> int:
        is_quick.wait(2)
        return 204

    receiver.says = slowly
    note(100)
    says("notices to crm are 10 min late")
    is_quick.set()


def pause(store: Store, reason: str) -> None:
    """Pause it, until its sender has seen that."""
    parley("notices", "pause", "crm", "--reason", reason)
    held_until = store.endpoints.state("crm").holder_until
    until(lambda: store.endpoints.state("crm").holder_until > held_until + 1000, "the sender has seen it")


def test_an_endpoint_that_an_operator_has_paused(says, note, store):
    pause(store, "it moves")
    note()
    says("notices to crm are paused (it moves)")
    parley("notices", "resume", "crm")


def test_an_endpoint_that_nobody_sends_to(says, note, web):
    web.stop()
    note()
    says("no process sends notices to crm, they are 10 min late")
    web.start()


def test_an_endpoint_that_was_given_up(says, note, web, receiver, store):
    web.stop()
    web.start(steps=True)
    receiver.says = lambda event: 500
    note()
    until(lambda: store.endpoints.state("crm").failing_since, "it fails")
    advance(store.redis, 3 * DAY_SECONDS + 3600)
    until(lambda: store.endpoints.state("crm").paused, "it is given up", seconds=60)
    advance(store.redis, -(3 * DAY_SECONDS + 3600))
    says("notices to crm are paused: for 3 days its receiver did not take one (status=500)")
    parley("notices", "resume", "crm")


def counts() -> str:
    """What ``parley notices endpoints crm`` says, with blanks as in a sentence."""
    return re.sub(r"\d+", "N", " ".join(parley("notices", "endpoints", "crm").split()))


def in_counts(see: str) -> str:
    assert NOTICES[see]
    return re.sub(r"\d+", "N", see)


def test_notices_that_a_receiver_refuses(says, note, receiver, running):
    receiver.says = lambda event: 410
    note(ago=0)
    until(lambda: Seen(running).figure("parley_store_endpoint_refused", {"endpoint": "crm"}), "it is counted", 90)
    assert in_counts("refused 1 (the receiver refused them for good)") in counts()
    assert "parley_store_endpoint_refused" in expression("ParleyNoticesLost")


def test_notices_that_are_gone_before_they_are_sent(says, note, store, running):
    pause(store, "it moves")
    lead = note(3, ago=0)
    assert "Erased" in parley("forget", *lead, "--also-consent", "--yes")
    store.consents.write(lead, "in", "zoe")
    parley("notices", "resume", "crm")
    until(lambda: Seen(running).figure("parley_store_endpoint_lost", {"endpoint": "crm"}), "it is counted", 90)
    assert in_counts("lost 3 (dropped or erased before they were sent)") in counts()
    assert "parley_store_endpoint_lost" in expression("ParleyNoticesLost")


def test_notices_that_are_dropped(says, note, store):
    note(3, ago=0)
    until(lambda: not store.endpoints.behind(store.endpoints.state("crm")), "all are pushed")
    advance(store.redis, 4 * DAY_SECONDS)
    assert store.notices.keep()
    advance(store.redis, -4 * DAY_SECONDS)
    kept = next(line for line in parley("status").splitlines() if line.startswith("notices kept"))
    assert in_counts("3 dropped so far") in re.sub(r"\d+", "N", kept)


def expression(alert: str) -> str:
    return next(rule["expr"] for rule in RULES if rule["alert"] == alert)


# ---- Senders ---------------------------------------------------------------------------------------------------------


Around = Callable[[RunningSystem, Store], AbstractContextManager[None]]


@contextmanager
def full(_: RunningSystem, store: Store) -> Iterator[None]:
    store.redis.config_set("maxmemory", "1mb")
    yield
    store.redis.config_set("maxmemory", "0")


@contextmanager
def away(running: RunningSystem, _: Store) -> Iterator[None]:
    running.redis.kill()
    yield
    running.redis.restart()


@contextmanager
def two_wait(_: RunningSystem, store: Store) -> Iterator[None]:
    store.personas.pause("ava", "until the row is over")
    for number in range(2):
        store.inbox.accept(parse({**CHAT, "event_id": f"waits-{number}", "target": "@full"}))
    yield
    store.personas.open_gate("ava", "paused")


@contextmanager
def as_ever(*_: object) -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("see", "source", "event", "around"),
    [
        ("401 unauthenticated", "stranger", {**CHAT, "target": "@x"}, as_ever),
        ("403 forbidden", "limited", {**CHAT, "target": "@x"}, as_ever),
        ("404 unknown-persona", "shop", {**CHAT, "target": "@x", "persona": "zoe"}, as_ever),
        ("409 inbox-full", "shop", {**CHAT, "target": "@full"}, two_wait),
        ("409 channel-missing", "shop", {**CHAT, "target": "@new", "channel": None}, as_ever),
        ("413 body-too-large", "shop", b" " * (1 << 21), as_ever),
        ("422 refused", "shop", {**CHAT, "target": ""}, as_ever),
        ("429 too-fast", "hasty", {**CHAT, "target": "@x"}, as_ever),
        ("503 store-full", "shop", {**CHAT, "target": "@x"}, full),
        ("503 store-unreachable", "shop", {**CHAT, "target": "@x"}, away),
    ],
)
def test_what_a_sender_gets(
    running: RunningSystem, web: Web, store: Store, see: str, source: str, event: Any, around: Around
) -> None:
    do, labels = SENDERS[see]
    if source == "hasty":
        web.post(source, event)
    seen = Seen(running)
    before = seen.figure("parley_ingress_answers_total", labels)
    with around(running, store):
        answer = web.post(source, event)
        problem = answer.json()
        assert f"{answer.status_code} {problem['type'].removeprefix('/problems/')}" == see
        assert problem["cure"] == do
        assert ("Retry-After" in answer.headers) == ("later" in do or "Retry-After" in do)
    until(lambda: seen.figure("parley_ingress_answers_total", labels) > before, see)


def test_each_row_of_the_doors_is_made_to_happen_here():
    own = Path(__file__).read_text()
    rows = [see for heading in ("Notices", "What senders get") for see, *_ in table(heading)]
    assert rows
    assert [see for see in rows if see not in own] == []
