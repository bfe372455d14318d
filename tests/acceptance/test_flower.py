"""The dashboard as an operator sees it: the real Flower over a real system, in a real browser."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import Celery
from playwright.sync_api import Browser, Page

from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
PASSWORD = "a password, with a comma"


def _page(browser: Browser, password: str = PASSWORD, width: int = 1400, height: int = 760) -> Page:
    login: Any = {"username": "operator", "password": password}
    return browser.new_context(http_credentials=login, viewport={"width": width, "height": height}).new_page()


def _picture(page: Page, name: str, otherwise: Path) -> None:
    # SCREENSHOTS=docs/images renews those of the docs.
    page.screenshot(path=Path(os.environ.get("SCREENSHOTS") or otherwise) / name)


def _has_room(page: Page) -> bool:
    """Whether no column of the list is cut off at this width."""
    return bool(page.locator(".dataTables_scrollBody").evaluate("list => list.scrollWidth <= list.clientWidth"))


def _rows(page: Page, url: str, search: str) -> list[str]:
    page.goto(f"{url}/tasks")
    page.locator("input[type=search]").fill(search)
    page.wait_for_timeout(600)  # the table asks again a moment after the last key
    return page.locator("#tasks-table tbody tr").all_inner_texts()


def _chat(target: str, channel: dict[str, Any], persona: str = "ava") -> InboundChat:
    return InboundChat.model_validate({"persona": persona, "target": target, "message": "Hi", "channel": channel})


def _refused_lead(target: str) -> FaultRule:
    return FaultRule(service="fluidtalk", kind=FaultKind.ANSWER, status=422, target=target)


def test_an_operator_follows_the_day(start, open_dashboard, browser, channel, eventually, tmp_path):
    """Log in, see the workers, find a conversation's turns and a failure; all there again after a restart."""
    settings = {"PARLEY_WORKER__TASK_EVENTS": "true", "PARLEY_JOIN__SETTLE_SECONDS": "0"}
    system, loaded = start(settings=settings, latency_seconds=0.1)
    dashboard = open_dashboard(system.environment, PASSWORD)
    page, url = _page(browser), dashboard.url
    eventually(lambda: page.goto(url) and "worker-0@parley" in page.content(), "the worker")
    assert page.locator("text=Online workers").is_visible()

    system.upstreams.add_fault(_refused_lead("@refused"))
    throttled = FaultRule(service="fluidtalk", kind=FaultKind.ANSWER, status=429, target="@sam", retry_after_seconds=60)
    with Producer(loaded) as producer:
        for target in ("@john_doe", "@mary", "@refused"):
            producer.enqueue(_chat(target, channel))

        def rows_of(search: str, text: str) -> list[str]:
            return [row for row in _rows(page, url, search) if text in row]

        (answered,) = eventually(lambda: rows_of("args:john_doe", "answered"), "the turn of @john_doe")
        assert "tasks.turn" in answered
        assert "@john_doe" in answered
        assert "@mary" not in answered
        assert "SUCCESS" in answered
        (failed,) = eventually(lambda: rows_of("state:FAILURE", "@refused"), "the failure")
        assert "FAILURE" in failed
        system.upstreams.add_fault(throttled)
        producer.enqueue(_chat("@sam", channel))
    (held,) = eventually(lambda: rows_of("state:RETRY", "@sam"), "the held turn")
    assert "throttled by the persona (429)" in held
    assert not rows_of("state:SUCCESS", "@sam")
    assert not rows_of("", "tasks.ring_due"), "the ticks of beat bury the turns"

    sender = Celery(broker=system.environment["PARLEY_REDIS_URL"])
    sender.send_task("tasks.accept", [{"kind": "shout", "persona": "ava", "target": "@typo"}], queue="accept")
    sender.send_task("tasks.accept", [{"kind": "whisper", "persona": "ava", "target": "@typo"}], queue="turns")
    sender.close()
    refused = eventually(
        lambda: (found := rows_of("state:FAILURE", "tasks.accept")) and len(found) == 2 and found,
        "the refused events, by the queue for them and by another",
        seconds=20,
    )
    assert all("refused: InvalidEvent" in row and "@typo" not in row for row in refused)

    _rows(page, url, "")
    page.wait_for_selector("text=@john_doe")
    page.locator("input[type=search]").blur()
    assert _has_room(page)
    _picture(page, "flower-tasks.png", tmp_path)
    phone = _page(browser, width=390, height=844)
    phone.goto(f"{url}/tasks")
    phone.wait_for_selector("text=@refused")
    assert _has_room(phone)
    assert phone.locator("text=throttled by the persona (429)").is_visible()
    _picture(phone, "flower-phone.png", tmp_path)
    page.locator("tr", has_text="@refused").locator("a[href*='/task/']").click()
    page.wait_for_url("**/task/*")
    assert "dead: refused by the persona (status 422)" in page.inner_text("body")
    page.screenshot(path=tmp_path / "task.png")

    dashboard.end()
    url = open_dashboard(system.environment, PASSWORD).url
    assert eventually(lambda: rows_of("args:john_doe", "answered"), "what was seen before the restart")


@contextmanager
def _proxy(to: str, strips: str = "") -> Iterator[str]:
    """A reverse proxy as operators have one: it passes the path, or strips a prefix from it."""

    class Pass(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            answer = httpx.request(
                self.command,
                to + self.path.removeprefix(strips),
                headers=dict(self.headers),
                content=self.rfile.read(length),
                trust_env=False,
            )
            self.send_response(answer.status_code)
            for name in ("Content-Type", "WWW-Authenticate", "Location"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 - the name that the server looks for

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pass) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("strips", ["", "/ops/flower"])
def test_it_lives_below_a_path_behind_a_proxy(start, open_dashboard, browser, channel, eventually, strips):
    settings = {"PARLEY_WORKER__TASK_EVENTS": "true", "PARLEY_JOIN__SETTLE_SECONDS": "0"}
    system, loaded = start(settings=settings)
    dashboard = open_dashboard(system.environment, PASSWORD, PARLEY_FLOWER__URL_PREFIX="ops/flower/")
    with _proxy(dashboard.url, strips) as outside:
        page = _page(browser)
        failed: list[str] = []
        page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        eventually(
            lambda: page.goto(f"{outside}/ops/flower/") and "worker-0@parley" in page.content(),
            "the worker",
            seconds=20,
        )
        with Producer(loaded) as producer:
            producer.enqueue(_chat("@john_doe", channel))
        page.click("text=Tasks")
        assert page.url == f"{outside}/ops/flower/tasks"
        eventually(lambda: _rows(page, f"{outside}/ops/flower", "args:john_doe")[0].count("answered"), "the turn")
        page.click("#tasks-table a[href*='/task/']")
        page.wait_for_url(f"{outside}/ops/flower/task/*")
        assert "@john_doe" in page.inner_text("body")
        # The first answer to a browser asks for the login.
        assert [url for url in failed if "/static/" in url or "datatable" in url] == []
    with httpx.Client(base_url=dashboard.url, trust_env=False) as stranger:
        assert stranger.get("/ops/flower").headers["Location"] == "/ops/flower/"
        for path in ("/ops/flower/", "/ops/flower/tasks", "/tasks", "/ops/flower/task/x"):
            assert stranger.get(path).status_code == 401, path
        for path in ("/api/workers", "/ops/flower/api/workers", "/ops/flower/metrics", "/metrics"):
            assert stranger.get(path, auth=("operator", PASSWORD)).status_code == 404, path


def test_a_password_may_have_any_character(start, open_dashboard):
    system, _ = start(workers=0, beats=0)
    dashboard = open_dashboard(system.environment, "pässwörd-\N{SNOWMAN}")
    with httpx.Client(base_url=dashboard.url, trust_env=False) as client:
        for given, status in (
            ("pässwörd-\N{SNOWMAN}", 200),
            ("pa\u0308sswo\u0308rd-\N{SNOWMAN}", 200),
            ("pässword", 401),
        ):
            login = base64.b64encode(f"operator:{given}".encode()).decode()
            assert client.get("/tasks", headers={"Authorization": f"Basic {login}"}).status_code == status, given


def test_its_tasks_are_kept_outside_of_the_directory_where_it_was_started(start, open_dashboard, tmp_path):
    system, _ = start(workers=0, beats=0)
    home = tmp_path / "home"
    before = {path.name for path in tmp_path.iterdir()}
    own = {"HOME": str(home), "PARLEY_FLOWER__DATABASE": "~/.local/state/parley/flower.db"}
    open_dashboard(system.environment, PASSWORD, **own).end()
    directory = home / ".local/state/parley"
    assert any(directory.iterdir())
    assert directory.stat().st_mode & 0o077 == 0
    assert not [path for path in tmp_path.iterdir() if path.name not in before and "flower.db" in path.name]


def test_nobody_gets_in_without_the_password(start, open_dashboard, browser):
    """A wrong password shows nothing; the API that could stop workers is not there for anybody."""
    system, _ = start(workers=0, beats=0)
    dashboard = open_dashboard(system.environment, PASSWORD)
    page = _page(browser, "wrong")
    refused = page.goto(f"{dashboard.url}/workers")
    assert refused is not None
    assert refused.status == 401
    assert "Online workers" not in page.content()
    with httpx.Client(base_url=dashboard.url, trust_env=False) as stranger:
        for path in ("/", "/workers", "/tasks", "/tasks/datatable", "/broker", "/task/x", "/worker/x"):
            assert stranger.get(path).status_code == 401, path
    with httpx.Client(base_url=dashboard.url, trust_env=False, auth=("operator", PASSWORD)) as operator:
        assert operator.get("/").status_code == 200
        for path in ("/api/tasks", "/api/workers", "/metrics"):
            assert operator.get(path).status_code == 404, path
        assert operator.post("/api/worker/shutdown/worker-0@parley").status_code in (404, 405)
    assert PASSWORD not in dashboard.log.read_text()


def test_flower_does_not_start_without_a_password(start):
    """There is no default password."""
    system, _ = start(workers=0, beats=0)
    done = subprocess.run(
        [sys.executable, "-m", "worker.processes.flower"],
        env={**os.environ, "PYTHONPATH": str(PROJECT), **system.environment},
        cwd=system.logs,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "PARLEY_FLOWER__PASSWORD" in done.stderr
