"""kill -9 of console processes while operators act: what a form asks for is done once, however often it is sent."""

from __future__ import annotations

import re
import threading
import time

import httpx
import pytest
from argon2 import PasswordHasher

from config import operators
from config.operators import Operator
from simulation.until import until
from tests.acceptance.web_processes import WebProcesses
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(600)]

PASSWORD = "four calm words here"
NAMES = ("kim", "lou", "mia", "noa")
KILLS = 4


class AtWork(threading.Thread):
    """An operator who claims a conversation, says two things and hands it back, again and again. A form is sent until
    one process has answered it."""

    def __init__(self, name: str, ports: list[int], stopping: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._ports = ports
        self._stopping = stopping
        self._requests = 0
        self._cookies = httpx.Cookies()
        self.conversation = Conversation("ava", f"@lead-of-{name}")
        self.said: list[str] = []
        self.acts: list[str] = []
        self.repeated = 0

    def run(self) -> None:
        self._surely("POST", "/login", {"name": self.name, "password": PASSWORD})
        found = self._surely("POST", "/conversations", {**self._form("/"), "text": self.conversation.target})
        (place,) = re.findall(r'href="(/c/[^"]+)"', self._surely("GET", found.headers["location"]).text)
        while not self._stopping.is_set():
            self._act("claimed", f"{place}/claim", f"{place}/claim")
            for _ in range(2):
                form = self._act("said", place, f"{place}/say", text=f"line {len(self.said)}")
                self.said.append(form["id"])
            self._act("handed back", f"{place}/hand-back", f"{place}/hand-back", choice="joined")

    def _act(self, act: str, page: str, address: str, **fields: str) -> dict[str, str]:
        form = {**self._form(page), **fields}
        before = self._requests
        answer = self._surely("POST", address, form)
        assert answer.status_code == 303, answer.text
        self.repeated += self._requests - before - 1
        self.acts.append(act)
        return form

    def _form(self, page: str) -> dict[str, str]:
        text = self._surely("GET", page).text.rpartition("<form")[2]
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))

    def _surely(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        while True:
            self._requests += 1
            origin = f"http://127.0.0.1:{self._ports[self._requests % len(self._ports)]}"
            try:
                with httpx.Client(cookies=self._cookies, timeout=20) as client:
                    answer = client.request(method, origin + path, data=form, headers={"Origin": origin})
                    self._cookies.update(client.cookies)
            except httpx.HTTPError:
                time.sleep(0.02)
                continue
            if answer.status_code < 500:
                return answer


@pytest.fixture
def consoles(redis_server, store, tmp_path):
    file = tmp_path / "operators"
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    operators.write(file, {name: Operator(name, ("operator",), hashed) for name in NAMES})

    def settings(port):
        return {
            "PARLEY_OPERATORS_FILE": str(file),
            "PARLEY_INGRESS__ENABLED": "false",
            "PARLEY_CONSOLE__ENABLED": "true",
            "PARLEY_CONSOLE__PORT": str(port),
        }

    started = WebProcesses(redis_server.url, 3, settings, health="/health/live")
    yield started
    started.end()


def test_each_act_happens_once_and_is_noted_once(consoles, store, make_settings, channel):
    stopping = threading.Event()
    crew = [AtWork(name, consoles.ports, stopping) for name in NAMES]
    with Producer(make_settings(), store=store) as producer:
        for each in crew:
            persona, target = each.conversation
            producer.enqueue(InboundChat(persona=persona, target=target, message="hi", channel=channel))
    for port in consoles.ports:
        consoles.wait(port)
    for each in crew:
        each.start()
    for kill in range(KILLS):
        reached = sum(len(each.acts) for each in crew)
        until(lambda reached=reached: sum(len(each.acts) for each in crew) > reached + 5, "acts go on", seconds=60)
        port = consoles.ports[kill % len(consoles.ports)]
        consoles.wait(port)
        consoles.kill(port)
    stopping.set()
    for each in crew:
        each.join(120)
        assert not each.is_alive()
    assert sum(each.repeated for each in crew) > 0, "no form was cut off: nothing was tried"
    for each in crew:
        inbox = store.redis.lrange(store.keys.of(each.conversation).inbox(each.conversation), 0, -1)
        assert [event for event in inbox if event in set(each.said)] == each.said, "once each, in order"
        assert len(inbox) == len(each.said) + 1
        noted = [done.act for done in reversed(store.audit.newest(10_000, by=each.name))]
        assert noted == each.acts
        told = [moment.word for moment in store.timeline.of(each.conversation)]
        assert told.count("taken over") == told.count("handed back") == each.acts.count("claimed")
