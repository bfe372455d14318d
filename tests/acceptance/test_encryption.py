"""Encryption at rest and hashed handles on a whole system: nothing planted on disk, no handle where people look."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from config.settings import load
from simulation.upstreams.faults import FaultKind, FaultRule
from tests.acceptance.other_leads import others_writing
from worker.domain.conversation import Conversation
from worker.domain.events import EventTrigger, InboundChat
from worker.domain.handles import Handles
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]

PLANTED = "PLANTED"
HANDLE = "@handle-of-"
PASSWORD = "a password for flower"
OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SETTINGS = {
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_RETRY__ATTEMPTS": "2",
    "PARLEY_RETRY__PAUSE_SECONDS": "0.1",
    "PARLEY_WORKER__TASK_EVENTS": "true",
    "PARLEY_WORKER__LOG_LEVEL": "DEBUG",
    "PARLEY_ENCRYPTION__KEYS": json.dumps([OLD]),
    "PARLEY_PRIVACY__HANDLES": "hashed",
    "PARLEY_PRIVACY__HANDLE_KEY": "a key of sixteen",
}
CHANNEL = {
    "session_id": "PLANTED-session",
    "metadata": {
        "internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel", "more": "PLANTED-metadata"}}}
    },
    "hasLivechat": False,
}


def shows(needle: str, text: str) -> bool:
    """Whether a text holds the needle, also behind base64, URL quoting or HTML."""
    readings = [text, unquote(text), html.unescape(text)]
    for run in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text):
        with contextlib.suppress(ValueError):
            readings.append(base64.b64decode(run).decode("utf-8", "replace"))
    return any(needle in reading for reading in readings)


def chat(target: str, **fields: Any) -> InboundChat:
    return InboundChat(**{"persona": "ava", "target": target, "message": "PLANTED", "channel": CHANNEL, **fields})


@pytest.fixture
def producer() -> Iterator[Callable[[], Producer]]:
    """A producer with the settings of the environment."""
    made: list[Producer] = []

    def make() -> Producer:
        made.append(Producer(load(env_file=None)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def all_ended(store: Store) -> bool:
    accounts = store.books.accounts()
    return bool(accounts) and not any(account.waiting or account.unexplained for account in accounts)


def flower_pages(url: str) -> Iterator[tuple[str, str]]:
    """Every page that ``make flower`` serves, with one for each worker and each turn."""
    with httpx.Client(base_url=url, auth=("operator", PASSWORD), trust_env=False, timeout=10) as operator:
        table = operator.get(_TABLE)
        turns = [task["uuid"] for task in table.json()["data"] if task["name"] in ("tasks.turn", "tasks.accept")]
        assert turns
        yield "the table of tasks", table.text
        for path in ["/", "/tasks", "/workers", "/worker/worker-0@parley", *(f"/task/{uuid}" for uuid in turns)]:
            answer = operator.get(path)
            assert answer.status_code == 200, path
            yield path, answer.text


_TABLE = (
    "/tasks/datatable?draw=1&start=0&length=1000&search[value]=&order[0][column]=0&order[0][dir]=desc&"
    "columns[0][data]=name&columns[0][searchable]=true"
)


def on_disk(redis_directory: Path) -> Iterator[tuple[str, str]]:
    """All files of the server, as text."""
    for file in redis_directory.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes().decode("utf-8", "replace")


def test_nothing_planted_reaches_the_disk_and_no_handle_the_eyes(start, open_dashboard, producer, eventually):
    system, settings = start(settings=SETTINGS, latency_seconds=0.3)
    dashboard = open_dashboard(system.environment, PASSWORD)
    eventually(lambda: "worker-0@parley" in _get(dashboard.url, "/workers"), "the worker in Flower")
    hash_of = Handles(settings.privacy).hash_of
    system.upstreams.add_fault(
        FaultRule(kind=FaultKind.ANSWER, target=f"{HANDLE}refused", status=422, body={"detail": "PLANTED-detail"})
    )
    system.upstreams.add_fault(
        FaultRule(kind=FaultKind.ANSWER, service="captivate", session_id="PLANTED-broken", status=503)
    )
    made = producer()
    store = Store(settings)
    for target in ("fine", "refused", "busy"):
        made.enqueue(chat(HANDLE + target))
    made.enqueue(chat(f"{HANDLE}broken", channel={**CHANNEL, "session_id": "PLANTED-broken"}))
    made.enqueue(
        EventTrigger(
            persona="ava", target=f"{HANDLE}event", event_type="story", context={"a": "PLANTED"}, channel=CHANNEL
        )
    )
    leads = [Conversation("ava", HANDLE + name) for name in ("fine", "refused", "busy", "broken", "event")]
    with others_writing(made, chat):
        eventually(lambda: not any(map(store.inbox.waiting, leads)), "the end of everything", seconds=60)
    eventually(lambda: shows(hash_of(f"{HANDLE}fine"), _get(dashboard.url, _TABLE)), "the turn in Flower")
    made.enqueue(chat(f"{HANDLE}running"))
    pages = list(flower_pages(dashboard.url))
    eventually(lambda: all_ended(store), "the last turn")
    (refused,) = [each for each in store.dead_letters.newest() if each.conversation.target == f"{HANDLE}refused"]
    letter = store.dead_letters.open(refused.conversation, refused.event_id)
    store.close()
    logs = [(f"log of {kind}", system.log_of(kind)) for kind in ("worker", "beat")]
    files = list(on_disk(system.redis.directory))
    assert any(HANDLE in text for name, text in files if "appendonly" in name), "the search sees what is on the disk"
    assert [name for name, text in files if PLANTED in text] == []
    looked_at = [*pages, *logs, ("log of Flower", dashboard.log.read_text(errors="replace"))]
    assert [name for name, text in looked_at if shows(HANDLE, text)] == []
    assert [name for name, text in looked_at if shows(PLANTED, text)] == []
    assert hash_of(f"{HANDLE}fine") in system.log_of("worker")
    assert any(hash_of(f"{HANDLE}refused") in text for _, text in pages)
    assert ("PLANTED" in letter.payload, "PLANTED-detail" in letter.detail) == (True, True)
    assert system.upstreams.deliveries("PLANTED-session")


def _get(url: str, path: str) -> str:
    return httpx.get(url + path, auth=("operator", PASSWORD), trust_env=False, timeout=10).text


def test_keys_are_changed_under_load_and_nothing_is_lost(start, producer, eventually, monkeypatch):
    """As docs/encryption.md says: the new key last, then first, then rotate, then the old one is taken away."""
    system, settings = start(settings={**SETTINGS, "PARLEY_WORKER__LOG_LEVEL": "INFO"})
    store = Store(settings)
    stopped, sent = threading.Event(), []

    def write() -> None:
        while not stopped.wait(0.01):
            sent.append(made.enqueue(chat(f"@lead-{len(sent) % 20}", message=f"PLANTED {len(sent)}")))

    made = producer()
    writing = threading.Thread(target=write)
    writing.start()
    try:
        for keys in ([OLD, NEW], [NEW, OLD]):
            (old,) = [worker for worker in system.workers if worker.poll() is None]
            system.start_worker({"PARLEY_ENCRYPTION__KEYS": json.dumps(keys)})
            old.terminate()
            assert old.wait(60) == 0
        environment = {**system.environment, "PARLEY_ENCRYPTION__KEYS": json.dumps([NEW, OLD])}
        rotating = _parley(environment, "rotate-keys", "--json")
        assert rotating.returncode == 0, rotating.stderr
        assert json.loads(rotating.stdout)["changed"] > 0
    finally:
        stopped.set()
        writing.join()
    eventually(lambda: all_ended(store), "the end of everything")
    fates = {account.persona: (account.accepted, account.dead) for account in store.books.accounts()}
    assert fates == {"ava": (len(sent), 0)}
    last = _parley(environment, "rotate-keys", "--json")
    assert last.returncode == 0, last.stderr
    again = _parley({**environment, "PARLEY_ENCRYPTION__KEYS": json.dumps([NEW])}, "rotate-keys", "--json")
    told = json.loads(again.stdout)
    assert (told["changed"], told["undecryptable"], list(told["by_key"])) == (0, {}, [told["writes_with"]])
    store.close()


def _parley(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker.cli", *words],
        env={"PYTHONPATH": str(PROJECT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_worker_without_the_package_says_what_to_install(start, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'cryptography' else find(name, *more)\n"
    )
    system, _ = start()
    path = f"{tmp_path}{os.pathsep}{PROJECT}"
    process = system.start_worker({"PYTHONPATH": path, "PARLEY_ENCRYPTION__KEYS": json.dumps([OLD])}, wait=False)
    assert process.wait(60) != 0
    assert "cryptography is not installed: install the extra encryption" in system.log_of("worker", 1)
