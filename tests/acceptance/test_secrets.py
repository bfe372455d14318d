"""No key, password or content outside the store: not in the broker, the logs or Flower.

Unmistakable texts are planted wherever a secret can come from, and then everything that a person or another program
can look at is searched for them. A text that has to be found everywhere shows that the search can find one.
"""

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
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from celery import Celery
from redis import Redis, RedisError

from config.settings import load
from simulation.servers.embedded_redis import EmbeddedRedis, free_port
from simulation.servers.system import RunningSystem
from simulation.tied_process import tied_command
from simulation.upstreams.faults import FaultKind, FaultRule
from tests.acceptance.other_leads import others_writing
from worker.bootstrap import Parts, build
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, Attachment, EventTrigger, InboundChat
from worker.pipeline.producer import Producer

pytestmark = pytest.mark.acceptance

PROJECT = Path(__file__).parents[2]

PLANTED = "PLANTED"
# Stands where a text may be seen: the name of a lead in a doorbell.
CONTROL = "CONTROL-lead"

PASSWORD = "PLANTED-redis-password"
KEYS = {"ava": "ft_sk_PLANTED-key-of-ava", "bea": "ft_sk_PLANTED-key-of-bea"}
SIGNATURE = "X-Amz-Signature=PLANTED-signature"
CHANNEL = {
    "session_id": "PLANTED-session",
    "metadata": {
        "internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel", "more": "PLANTED-metadata"}}},
        "user": {"email": "PLANTED-email"},
    },
    "hasLivechat": False,
}
CHAT = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": "PLANTED-text", "channel": CHANNEL}

UNKNOWN_TASK = "tasks.nobody_knows"
FLOWER_LOGIN = ("operator", "not-a-secret-of-ours")


class GuardedRedis(EmbeddedRedis):
    """Asks everybody for a password."""

    @property
    def url(self) -> str:
        """The address with the password in it, as an operator would set it."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, then lock the door."""
        super().start()
        with Redis(port=self.port) as redis:
            redis.config_set("requirepass", PASSWORD)


class LoudSystem(RunningSystem):
    """Logs all it can, and tells Flower all it does. ``log_format`` is that of the next worker."""

    log_format = "text"

    @property
    def environment(self) -> dict[str, str]:
        """The usual settings, and a gateway that wants a header of its own."""
        return {
            **super().environment,
            "PARLEY_JOIN__SETTLE_SECONDS": "0",
            "PARLEY_RETRY__ATTEMPTS": "2",
            "PARLEY_RETRY__PAUSE_SECONDS": "0.1",
            "PARLEY_WORKER__TASK_EVENTS": "true",
            "PARLEY_METRICS__MEASURE_SECONDS": "0.2",
            "PARLEY_WORKER__LOG_LEVEL": "DEBUG",
            "PARLEY_WORKER__LOG_FORMAT": self.log_format,
            "PARLEY_CAPTIVATE__HEADERS": '{"X-Gateway-Key": "PLANTED-gateway-key"}',
        }


def places_with(needle: str, texts: Iterable[tuple[str, str]]) -> list[str]:
    """The places whose text holds the needle, also behind base64, URL quoting or HTML."""
    found = []
    for place, text in texts:
        readings = [text, unquote(text), html.unescape(text), *_unpacked(text)]
        if any(needle in reading for reading in readings):
            found.append(place)
    return found


def _unpacked(text: str) -> Iterator[str]:
    for run in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text):
        with contextlib.suppress(ValueError):
            yield base64.b64decode(run).decode("utf-8", "replace")


def in_broker(redis: Redis) -> Iterator[tuple[str, str]]:
    """Everything that is not in the store, but for the messages of others, which may hold content until they are
    taken (docs/producers.md)."""
    for key in redis.scan_iter():
        name = key.decode(errors="replace")
        if name.startswith("parley:"):
            continue
        yield f"key {name}", name
        kind = redis.type(key).decode()
        values: Iterable[bytes] = ()
        with contextlib.suppress(RedisError):  # the key may have another type, or none, by now
            if kind == "list":
                values = redis.lrange(key, 0, -1)
            elif kind == "set":
                values = redis.smembers(key)
            elif kind == "zset":
                values = redis.zrange(key, 0, -1)
            elif kind == "hash":
                values = [part for pair in redis.hgetall(key).items() for part in pair]
            elif kind == "string":
                values = [redis.get(key) or b""]
        for value in values:
            text = value.decode(errors="replace")
            if not _sent_by_others(text):
                yield f"{kind} {name}", text


def _sent_by_others(text: str) -> bool:
    try:
        headers = json.loads(text)["headers"]
    except (ValueError, TypeError, KeyError):
        return False
    return headers.get("task") in ("tasks.accept", UNKNOWN_TASK) or "planted" in headers


class BrokerWatch:
    """Looks into the broker again and again, and keeps what it saw."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen: set[tuple[str, str]] = set()

    def __enter__(self) -> BrokerWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(10)
        self._redis.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.seen.update(in_broker(self._redis))


class Flower:
    """A real Flower over a running system."""

    def __init__(self, system: RunningSystem) -> None:
        port = free_port()
        self._log = system.logs / "flower.log"
        options = ["--address=127.0.0.1", f"--port={port}", f"--basic_auth={':'.join(FLOWER_LOGIN)}"]
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=FLOWER_LOGIN, trust_env=False, timeout=10)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                tied_command([sys.executable, "-m", "celery", "-A", "worker", "flower", *options]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(PROJECT), **system.environment},
                cwd=system.logs,
            )

    def close(self) -> None:
        """End it."""
        self._http.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it printed."""
        return self._log.read_text(errors="replace")

    def ready(self) -> bool:
        """Whether it answers and knows a worker."""
        with contextlib.suppress(httpx.TransportError):
            return self._http.get("/api/workers").status_code == 200 and bool(self._workers())
        return False

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What it knows of each task."""
        found: dict[str, dict[str, Any]] = self._http.get("/api/tasks", params={"limit": "100000"}).json()
        return found

    def pages(self) -> Iterator[tuple[str, str]]:
        """Every page that it has, with one page for each worker and each task that says more than the tick of beat."""
        plain = ["/", "/tasks", "/workers", "/workers?json=1", "/broker", "/metrics", "/healthcheck"]
        plain += ["/api/workers?refresh=1", "/api/workers?status=1", "/api/tasks?limit=100000", "/api/task/types"]
        plain += ["/api/queues/length", "/tasks/datatable?" + _DATATABLE]
        plain += [f"/worker/{name}" for name in self._workers()]
        told = [identity for identity, task in self.tasks().items() if task["name"] != "tasks.ring_due"]
        plain += [f"/{page}/{identity}" for identity in told for page in ("task", "api/task/info")]
        for path in plain:
            answer = self._http.get(path)
            assert answer.status_code == 200, f"Flower answered {answer.status_code} to {path}"
            yield f"Flower {path.partition('?')[0]}", answer.text

    def _workers(self) -> list[str]:
        return list(self._http.get("/api/workers").json())


_DATATABLE = (
    "draw=1&start=0&length=100000&search[value]=&order[0][column]=0&order[0][dir]=desc&"
    "columns[0][data]=name&columns[0][searchable]=true"
)


@pytest.fixture
def system() -> Iterator[LoudSystem]:
    """A system with secrets in every setting. The second worker logs as JSON."""
    running = LoudSystem(personas=KEYS)
    running.redis = GuardedRedis()
    with running:
        running.log_format = "json"
        running.start_worker()
        yield running


@pytest.fixture
def flower(system: LoudSystem, eventually: Callable[..., Any]) -> Iterator[Flower]:
    """A Flower that has seen the workers."""
    found = Flower(system)
    eventually(found.ready, "Flower")
    yield found
    found.close()


@pytest.fixture
def settings(system: LoudSystem, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The settings of the running system."""
    for name, value in system.environment.items():
        monkeypatch.setenv(name, value)
    return load(env_file=None)


def chat(target: str, **fields: Any) -> InboundChat:
    """A message of a lead, secrets in all its parts."""
    return InboundChat(**{"persona": "ava", "target": target, "message": "PLANTED-text", "channel": CHANNEL, **fields})


def fail_upstreams(system: LoudSystem) -> None:
    """Let some leads have bad luck; each answer quotes what it must not."""
    body = {"detail": "PLANTED-error-body", "key": KEYS["ava"]}
    for target, status in (("@refused", 422), ("@done", 400), ("@broken", 500), ("@throttled", 429)):
        rule = {"target": target, "status": status, "body": body, "headers": {"X-Trace": "PLANTED-header"}}
        system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, **rule))
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, target="@bad", status=200, body="PLANTED-not-json"))
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, persona="bea", status=401, body=body))
    undeliverable = {"session_id": "PLANTED-undeliverable", "status": 404, "body": body}
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, **undeliverable))
    system.upstreams.add_fault(FaultRule(kind=FaultKind.ACT_THEN_DROP, target="@dropped"))


def enqueue_everything(producer: Producer, system: LoudSystem) -> None:
    """One event for every way that a turn can go."""
    missing = f"{system.upstreams.fluidtalk_url}/nothing/PLANTED-path.png?{SIGNATURE}"
    targets = ("@fine", "@refused", "@done", "@broken", "@throttled", "@bad", "@dropped", CONTROL)
    events = [chat(target) for target in targets]
    events += [
        chat("@bea", persona="bea"),
        chat("@undeliverable", channel={**CHANNEL, "session_id": "PLANTED-undeliverable"}),
        chat("@hosted", image_url=f"https://images.test/PLANTED-path.png?{SIGNATURE}"),
        chat("@attached", attachments=(Attachment(url=missing, filename="PLANTED-name.png"),)),
        AiOpener(persona="ava", target="@opened", channel=CHANNEL, own_username="PLANTED-account"),
        EventTrigger(
            persona="ava",
            target="@event",
            event_type="story_reaction",
            context={"words": "PLANTED-context"},
            channel=CHANNEL,
        ),
    ]
    producer.enqueue_many(events)


NAMES = "fine refused done broken bad dropped undeliverable hosted attached opened event foreign"
LEADS = (Conversation("ava", CONTROL), *(Conversation("ava", f"@{name}") for name in NAMES.split()))
# A refused key is every lead's trouble, and so is a key that is too fast: these wait.
PATIENT = (Conversation("ava", "@throttled"), Conversation("bea", "@bea"))


def send_as_others(broker_url: str) -> list[str]:
    """What a producer that only speaks Celery may send, right and wrong. Returns the ids of the messages."""
    with Celery(broker=broker_url, set_as_current=False) as celery:
        messages: list[tuple[str, list[Any], dict[str, Any]]] = [
            ("tasks.accept", [{**CHAT, "target": "@foreign"}], {}),
            ("tasks.accept", [{**CHAT, "target": 7, "message": ["PLANTED-text"]}], {}),
            ("tasks.accept", ["PLANTED-no-event"], {}),
            ("tasks.accept", [CHAT], {"unexpected": "PLANTED-argument"}),
            ("tasks.accept", [], {}),
            (UNKNOWN_TASK, ["PLANTED-argument"], {"more": "PLANTED-argument"}),
        ]
        ids = [
            celery.send_task(task, args=args, kwargs=kwargs, queue="turns", ignore_result=True).id
            for task, args, kwargs in messages
        ]
    with Redis.from_url(broker_url) as redis:
        for content_type, body in (
            ("application/json", "PLANTED is no JSON"),
            ("application/x-python-serialize", "PLANTED pickle"),
            ("application/PLANTED", "PLANTED"),
        ):
            redis.lpush("turns", _message(content_type, body))
    return ids


def _message(content_type: str, body: str) -> str:
    identity = str(uuid.uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": content_type,
            "headers": {"task": "tasks.accept", "id": identity, "lang": "py", "argsrepr": "PLANTED-arguments"},
            "properties": {
                "correlation_id": identity,
                "delivery_info": {"exchange": "", "routing_key": "turns"},
                "delivery_tag": identity,
                "body_encoding": "base64",
            },
        }
    )


@pytest.fixture
def parts(settings: Any) -> Iterator[Parts]:
    """The parts of a process with these settings."""
    found = build(settings)
    yield found
    found.close()


def everything_has_ended(parts: Parts, flower: Flower, ids: list[str]) -> Callable[[], bool]:
    """Whether only those wait who have to, and Flower has heard of the end of each message."""

    def ended() -> bool:
        waiting = parts.store.inbox.waiting
        accepted = {account.persona for account in parts.store.books.accounts()} >= {"ava", "bea", "-"}
        if not accepted or any(map(waiting, LEADS)) or not all(map(waiting, PATIENT)):
            return False
        states = {identity: task["state"] for identity, task in flower.tasks().items()}
        return all(states.get(identity) in ("SUCCESS", "FAILURE") for identity in ids[:5])

    return ended


@pytest.mark.slow
def test_no_secret_leaves_the_store(system, flower, settings, parts, eventually):
    with BrokerWatch(system.redis.url) as broker, Producer(settings) as producer:
        fail_upstreams(system)
        enqueue_everything(producer, system)
        ids = send_as_others(system.redis.url)
        with others_writing(producer, chat):
            eventually(everything_has_ended(parts, flower, ids), "the end of everything", seconds=60)
        pages = list(flower.pages())
        figures = list(endpoints(system))
        for worker in system.workers:
            worker.terminate()
        for worker in system.workers:
            worker.wait(15)
        # Nobody is left to take a doorbell: it stays where it can be looked at.
        producer.enqueue(chat(CONTROL))
        eventually(lambda: places_with(CONTROL, broker.seen), "the control in a doorbell")
    logs = [(f"log of {kind} {number}", system.log_of(kind, number)) for kind, number in LOGS]
    logs.append(("log of Flower", flower.log()))
    redis = parts.store.redis
    stored = [(key, str(redis.hgetall(key))) for key in redis.scan_iter("parley:*:journal:*")]
    searched = {"broker": broker.seen, "Flower": pages, "logs": logs}
    assert {name: places_with(CONTROL, texts) != [] for name, texts in searched.items()} == dict.fromkeys(
        searched, True
    )
    assert {"log of worker 0", "log of worker 1"} & set(places_with(CONTROL, logs))
    assert "Flower /api/tasks" in places_with(CONTROL, pages)
    told = {f"metrics of {kind} {number}" for kind, number in LOGS}
    assert told <= set(places_with('persona="ava"', figures))
    assert places_with(CONTROL, figures) == [], "metrics never name a lead"
    searched["metrics"] = figures
    assert places_with(PLANTED, stored), "the store holds what was planted, so it came in"
    found = {name: places_with(PLANTED, texts) for name, texts in searched.items()}
    assert found == {name: [] for name in searched}


def endpoints(system: LoudSystem) -> Iterator[tuple[str, str]]:
    """What each process tells whoever asks its endpoint."""
    for kind, number in LOGS:
        port = re.search(r"metrics and health on 127\.0\.0\.1 port (\d+)", system.log_of(kind, number))
        assert port, f"{kind} {number} has no endpoint"
        for path in ("metrics", "live", "ready"):
            answer = httpx.get(f"http://127.0.0.1:{port[1]}/{path}", trust_env=False, timeout=10)
            yield f"{path} of {kind} {number}", answer.text


LOGS = (("worker", 0), ("worker", 1), ("beat", 0))


@pytest.mark.parametrize(
    "text",
    [
        "PLANTED",
        "a PLANTED b",
        base64.b64encode(b'[["ava", "PLANTED-words"], {}]').decode(),
        '{"body": "' + base64.b64encode(b"some PLANTED words in a body").decode() + '"}',
        "http://a.test/?q=%50LANTED",
        "&#80;LANTED",
    ],
)
def test_the_search_finds_a_planted_text(text):
    assert places_with(PLANTED, [("here", text), ("there", "nothing")]) == ["here"]


def test_a_planted_broker_list_is_found(redis_server, store):
    """The control of the search in the broker: the message of a careless producer, and a value of another type."""
    store.redis.lpush("turns", json.dumps({"headers": {"task": "tasks.turn", "argsrepr": "PLANTED"}}))
    store.redis.hset("celery-task-meta-1", "result", "PLANTED")
    store.redis.lpush("accept", json.dumps({"headers": {"task": "tasks.accept", "argsrepr": "PLANTED"}}))
    with Redis.from_url(redis_server.url) as redis:
        assert sorted(places_with(PLANTED, in_broker(redis))) == ["hash celery-task-meta-1", "list turns"]
