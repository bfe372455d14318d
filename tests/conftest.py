"""Shared by all tests: a real Redis server for the session, settings that point at it, polling instead of sleeping."""

from __future__ import annotations

import importlib.util
import io
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from redis import Redis

from config.settings import Settings, load
from simulation.servers.embedded_redis import EmbeddedRedis
from simulation.until import until
from simulation.upstreams.control import SimulatedUpstreams
from worker.cli import main
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.store import Store

# How long an example takes is a matter of what else the machine has to do.
hypothesis_settings.register_profile("parley", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("parley")

# A machine's own services, and nothing that Chromium would like to tell its maker.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
CHROMIUM_OPTIONS += ["--disable-component-update", "--disable-sync"]

CHANNEL = {
    "session_id": "session-1",
    "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}},
    "hasLivechat": False,
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before ``-m`` is heeded: ``make test`` asks for no program that a bare machine does not have."""
    for item in items:
        if "need" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: most of the time a test waits for processes and for time to pass."""
    return 2 * (len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)


@pytest.fixture(scope="session", autouse=True)
def _nothing_from_outside(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No settings of the machine's own, no proxy before servers on loopback, and none of the machine's certificates:
    each client of httpx would read them all again, thousands of times and for longer than most calls take."""
    for name in list(os.environ):
        if name.startswith("PARLEY_") or name.lower() in ("http_proxy", "https_proxy", "all_proxy", "ssl_cert_file"):
            del os.environ[name]
    os.environ["SSL_CERT_DIR"] = str(tmp_path_factory.mktemp("no-certificates"))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """One real server for the session."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def make_settings(redis_server: EmbeddedRedis) -> Callable[..., Settings]:
    """Settings for the session's server: two personas, no settle time; every part can be replaced."""

    def make(**overrides: Any) -> Settings:
        values: dict[str, Any] = {
            "redis_url": redis_server.url,
            "captivate": {"environment": "dev"},
            "personas": {"ava": {"api_key": "ft_sk_ava"}, "bea": {"api_key": "ft_sk_bea"}},
            "join": {"settle_seconds": 0, "max_events": 3},
        }
        return load(env_file=None, **{**values, **overrides})

    return make


@pytest.fixture
def make_store(make_settings: Callable[..., Settings]) -> Iterator[Callable[..., Store]]:
    """Stores over the session's server, emptied before the test. ``ahead``: their clock can run ahead."""
    stores: list[Store] = []

    def make(ahead: bool = False, **overrides: Any) -> Store:
        store = Store(make_settings(**overrides), connections=5, ahead=ahead)
        if not stores:
            store.redis.flushall()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """An empty store with the usual settings."""
    return make_store()


@pytest.fixture
def no_thread_left(redis_server: EmbeddedRedis) -> Iterator[None]:
    """Waits for the threads that the test has started: one that still looks would ring for the next test's leads."""
    before = set(threading.enumerate())
    yield
    with Redis.from_url(redis_server.url) as redis:
        redis.flushall()
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive(), thread.name


@pytest.fixture
def channel() -> dict[str, Any]:
    """A channel context."""
    return CHANNEL


@pytest.fixture
def plan_for_year_10000(channel: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[Store, str], None]:
    """Plan a follow-up of ava as releases did that knew no limit: no date of Python is so late."""

    def plan(store: Store, target: str) -> None:
        late = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-23)))
        event = FollowUp(event_id="late", persona="ava", target=target, channel=channel, not_before=late)
        with monkeypatch.context() as patched:
            patched.setattr("worker.store.conversations.follow_ups.MOST_AHEAD_MS", 10**15)
            assert store.follow_ups.schedule(event).status == "scheduled"

    return plan


@pytest.fixture
def waiting(store: Store) -> Callable[..., list[str]]:
    """The ids of the events that wait in a conversation."""

    def read(persona: str = "ava", target: str = "@john") -> list[str]:
        conversation = Conversation(persona, target)
        return store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)

    return read


@pytest.fixture
def browser(need: Callable[[str], NoReturn]) -> Iterator[Any]:
    """Chromium without a screen."""
    # Only these tests need it.
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        need("chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Poll until a condition holds; returns its value. Only a failing test waits as long as that."""

    return until


@pytest.fixture(scope="session")
def need() -> Callable[[str], NoReturn]:
    """To be called with a reason when a program is missing: a developer's machine may do without it, CI may not."""

    def missing(reason: str) -> NoReturn:
        if os.environ.get("CI"):
            pytest.fail(f"{reason}. In CI this test must run")
        pytest.skip(reason)

    return missing


@dataclass(frozen=True)
class Ended:
    """How the command ended and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ended]]:
    """Run ``parley`` with these words, in this process: another one takes a second to start."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*words: str, answer: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["parley", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main()
        printed = capsys.readouterr()
        code = ending.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), printed.out, printed.err)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Processes started by the test take SIGINT, also where the tests themselves ignore it: in the background, say."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def upstreams_process() -> Iterator[SimulatedUpstreams]:
    """Both doubles as one process."""
    with SimulatedUpstreams(personas={"ava": "ft_sk_ava", "bea": "ft_sk_bea", "cleo": "ftc_live_cleo"}) as upstreams:
        yield upstreams


@pytest.fixture
def upstreams(upstreams_process: SimulatedUpstreams) -> SimulatedUpstreams:
    """Both doubles, as new."""
    upstreams_process.reset()
    return upstreams_process


@pytest.fixture(scope="session")
def published_characters() -> ModuleType:
    """``fluidtalk`` 2.8.2. It has the name of the first oracle, so it is loaded under another one."""
    folder = Path(sys.prefix, "oracles", "fluidtalk")
    spec = importlib.util.spec_from_file_location(
        "published_characters", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None, "make .venv/.ready installs it"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    assert module.__version__ == "2.8.2"
    return module
