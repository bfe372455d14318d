"""How long the server takes for each page of the console, with many known conversations.

    python -m benchmarks.console --rounds 3
    python -m benchmarks.console --conversations 1000000

Known conversations are copies of what one real turn left, a planned follow-up included (``benchmarks/known.py``);
others wait. The time is that of a request over loopback, from its first byte to the last one of the answer. Pages are
found as an operator finds them: by the links of the pages before.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import httpx
from argon2 import PasswordHasher

from benchmarks.known import answer_first, copy
from benchmarks.leads import ONE_BY_ONE, message
from benchmarks.report import Goal, Section, Table, run
from config import operators
from config.operators import Operator
from simulation.feeding import settings_of
from simulation.judge.percentile import percentile
from simulation.servers.embedded_redis import free_port
from simulation.servers.system import RunningSystem
from simulation.tied_process import tied_command
from simulation.until import until
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.store import Store

GOAL_MS = 200.0

_SETTINGS = {**ONE_BY_ONE, "PARLEY_FOLLOW_UPS__DELAYS_SECONDS": "[86400]"}
_WAITING = 3000
_PASSWORD = "four calm words here"
# Of each page in a round. The overview is made at most once a second, however many look.
_REQUESTS, _APART_SECONDS = 10, {"/": 1.1}


def section(rounds: int, conversations: int = 100_000) -> Section:
    """Measure. ``conversations``: how many are known and at rest."""
    with RunningSystem(settings=_SETTINGS) as system, tempfile.TemporaryDirectory() as folder:
        waiting = _fill(system, conversations)
        with _console(system, Path(folder)) as origin, httpx.Client(base_url=origin, timeout=30) as client:
            client.post("/login", data={"name": "kim", "password": _PASSWORD}, headers={"Origin": origin})
            times: dict[str, list[float]] = {page: [] for page in _pages(client, waiting.target)}
            for _ in range(rounds):
                for page, taken in times.items():
                    taken += _ask(client, page)
    slowest = max(percentile(taken, 0.95) for taken in times.values())
    rows = [(name, f"{statistics.median(ms):.0f}", f"{percentile(ms, 0.95):.0f}") for name, ms in _named(times)]
    return Section(
        title="Console",
        about=f"{conversations} conversations at rest with a planned follow-up, {_WAITING} that wait; one operator. "
        f"{_REQUESTS} requests of each page in each of {rounds} rounds, one after the other.",
        command=f"python -m benchmarks.console --rounds {rounds} --conversations {conversations}",
        tables=[Table(("page", "p50 ms", "p95 ms"), rows)],
        goals=(Goal("p95 of the slowest page", f"≤ {GOAL_MS:g} ms", f"{slowest:.0f} ms", slowest <= GOAL_MS),),
    )


def _fill(system: RunningSystem, conversations: int) -> Conversation:
    settings = settings_of(system)
    store = Store(settings, connections=2)
    with Producer(settings, store=store) as producer:
        answer_first(producer, store)
        copy(store, conversations)
        system.workers[0].terminate()
        system.workers[0].wait()
        producer.enqueue_many([message(f"@waiting-{number}") for number in range(_WAITING)])
    store.close()
    return Conversation("ava", "@waiting-0")


@contextmanager
def _console(system: RunningSystem, folder: Path) -> Iterator[str]:
    operators.write(folder / "operators", {"kim": Operator("kim", ("operator",), PasswordHasher().hash(_PASSWORD))})
    port = free_port()
    variables = {
        "PARLEY_OPERATORS_FILE": str(folder / "operators"),
        "PARLEY_INGRESS__ENABLED": "false",
        "PARLEY_CONSOLE__ENABLED": "true",
        "PARLEY_CONSOLE__PORT": str(port),
        "PARLEY_METRICS__PORT": "0",
    }
    command = tied_command([sys.executable, "-m", "worker.web"])
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, env={**os.environ, **system.web_environment, **variables}
    )
    origin = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _serves(origin), "the console serves", pause_seconds=0.1)
        yield origin
    finally:
        process.terminate()
        process.wait()


def _serves(origin: str) -> bool:
    try:
        return httpx.get(f"{origin}/health/live").status_code == 200
    except httpx.HTTPError:
        return False


def _pages(client: httpx.Client, target: str) -> list[str]:
    """Addresses: of the navigation, of the filters of the list, of a search, of a conversation."""
    text = client.get("/conversations").text
    listed = _links(text)
    found = [*_links(client.get("/").text), *(link for link in listed if link.startswith("/conversations?"))]
    token = re.findall(r'name="token" value="([^"]*)"', text)[0]
    form = {"token": token, "text": target[:-1]}
    searched = client.post("/conversations", data=form, headers={"Origin": str(client.base_url).rstrip("/")})
    found.append(searched.headers["location"])
    found.append(next(link for link in listed if link.startswith("/c/")))
    pages = [link for link in dict.fromkeys(found) if not link.startswith(("/static", "/logout", "/c/"))]
    return [*pages, found[-1]]


def _links(page: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="(/[^"#]*)"', page)]


def _ask(client: httpx.Client, page: str) -> list[float]:
    taken = []
    for _ in range(_REQUESTS):
        time.sleep(_APART_SECONDS.get(page, 0.0))
        begun_at = time.monotonic()
        answer = client.get(page)
        taken.append((time.monotonic() - begun_at) * 1000)
        answer.raise_for_status()
    return taken


def _named(times: dict[str, list[float]]) -> Iterator[tuple[str, list[float]]]:
    for page, taken in times.items():
        name = "a conversation" if page.startswith("/c/") else re.sub(r"(find|after)=[^&]+", r"\1=...", page)
        yield name, taken


if __name__ == "__main__":
    sys.exit(run("console", __doc__, section, conversations={"type": int, "default": 100_000}))
