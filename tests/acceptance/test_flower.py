"""The dashboard as an operator sees it: the real Flower over a real system, in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
PASSWORD = "a password, with a comma"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# A machine's own services, and nothing that Chromium would like to tell its maker.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OPTIONS += ["--disable-component-update", "--disable-sync"]


@pytest.fixture
def browser(need: Callable[[str], NoReturn]) -> Iterator[Browser]:
    """Chromium without a screen."""
    if CHROMIUM is None:
        need("chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


def _page(browser: Browser, password: str = PASSWORD) -> Page:
    login: Any = {"username": "operator", "password": password}
    return browser.new_context(http_credentials=login, viewport={"width": 1400, "height": 760}).new_page()


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
    eventually(lambda: page.goto(url) and "worker-0@parley" in page.content(), "the worker", seconds=20)
    assert page.locator("text=Online workers").is_visible()

    system.upstreams.add_fault(_refused_lead("@refused"))
    with Producer(loaded) as producer:
        for target in ("@john_doe", "@mary", "@refused"):
            producer.enqueue(_chat(target, channel))

    def rows_of(search: str, text: str) -> list[str]:
        return [row for row in _rows(page, url, search) if text in row]

    (answered,) = eventually(lambda: rows_of("args:john_doe", "answered"), "the turn of @john_doe", seconds=20)
    assert "tasks.turn" in answered
    assert "@john_doe" in answered
    assert "@mary" not in answered
    assert "SUCCESS" in answered
    (failed,) = eventually(lambda: rows_of("state:FAILURE", "@refused"), "the failure", seconds=20)
    assert "FAILURE" in failed
    assert not rows_of("", "tasks.ring_due"), "the ticks of beat bury the turns"
    page.goto(f"{url}/tasks")
    page.wait_for_selector("text=@refused")
    page.screenshot(path=os.environ.get("SCREENSHOT") or tmp_path / "tasks.png")
    page.locator("tr", has_text="@refused").locator("a[href*='/task/']").click()
    page.wait_for_url("**/task/*")
    assert "dead: refused by the persona (status 422)" in page.inner_text("body")
    page.screenshot(path=tmp_path / "task.png")

    dashboard.end()
    url = open_dashboard(system.environment, PASSWORD).url
    assert eventually(lambda: rows_of("args:john_doe", "answered"), "what was seen before the restart", seconds=20)


def test_nobody_gets_in_without_the_password(start, open_dashboard, browser):
    """A wrong password shows nothing; the API that could stop workers is not there for anybody."""
    system, _ = start(workers=0, beats=0)
    dashboard = open_dashboard(system.environment, PASSWORD)
    page = _page(browser, "wrong")
    refused = page.goto(f"{dashboard.url}/workers")
    assert refused is not None
    assert refused.status == 401
    assert "Online workers" not in page.content()
    with httpx.Client(base_url=dashboard.url, trust_env=False) as nobody:
        for path in ("/", "/workers", "/tasks", "/tasks/datatable", "/broker", "/task/x", "/worker/x"):
            assert nobody.get(path).status_code == 401, path
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
