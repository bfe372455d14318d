"""The console as an operator uses it: real processes, a real browser, and nothing known of the code."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from config import operators
from config.operators import Operator
from simulation.servers.embedded_redis import free_port
from simulation.upstreams.faults import FaultKind, FaultRule
from worker.adapters import passwords
from worker.domain.events import FollowUp, InboundChat
from worker.pipeline.producer import Producer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(300)]

PASSWORD = "four calm words here"


class Desk:
    """A browser window in which an operator works, and all that it complained about."""

    def __init__(self, browser: Browser, address: str, **context: Any) -> None:
        self.address = address
        self.page: Page = browser.new_context(**context).new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda each: self._note(each.type, each.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.addresses: list[str] = []
        self.page.on("request", lambda request: self.addresses.append(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "status of 4" not in text:
            self.complaints.append(text)

    def log_in(self, name: str) -> None:
        """Log in."""
        self.page.goto(self.address)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("button", name="Log out").wait_for()

    def find(self, text: str) -> None:
        """Open the first conversation that a search finds."""
        self.page.get_by_role("link", name="Conversations").first.click()
        self.page.get_by_role("searchbox").fill(text)
        self.page.get_by_role("button", name="Search").click()
        self.page.locator("tbody a").first.click()
        self.page.get_by_role("heading", name="Timeline").wait_for()

    def findings(self) -> str:
        """What axe-core finds fault with on this page; '' = nothing."""
        found = Axe().run(self.page)
        return f"{self.page.url}\n{found.generate_report()}" if found.violations_count else ""

    def need_no_findings(self) -> None:
        """Nothing on this page shuts anybody out."""
        found = self.findings()
        assert not found, found


@pytest.fixture
def day(start, tmp_path):
    """A system with a console: kim may all, vera looks. Returns it, its settings and the console's address."""
    file, port = tmp_path / "operators", free_port()
    hashed = passwords.hashed(PASSWORD)
    everyone = {"kim": ("viewer", "operator", "reader"), "vera": ("viewer",)}
    operators.write(file, {name: Operator(name, roles, hashed) for name, roles in everyone.items()})
    settings = {
        "PARLEY_CONSOLE__ENABLED": "true",
        "PARLEY_CONSOLE__PORT": str(port),
        "PARLEY_OPERATORS_FILE": str(file),
        "PARLEY_TRANSCRIPT__DAYS": "7",
        "PARLEY_JOIN__SETTLE_SECONDS": "0",
    }
    system, loaded = start(webs=1, settings=settings)
    return system, loaded, f"http://127.0.0.1:{port}"


@pytest.fixture
def write(day, channel):
    """A lead writes."""
    with Producer(day[1]) as producer:

        def send(target: str, message: str = "Hi") -> None:
            own = {**channel, "session_id": f"session-of-{target}"}
            event = {"persona": "ava", "target": target, "message": message, "channel": own}
            producer.enqueue(InboundChat.model_validate(event))

        yield send


def test_an_operator_finds_why_and_answers_a_lead(day, write, browser, eventually, tmp_path):
    """The reason, the words, a claim, a message that arrives once although its worker is killed, and the hand-back."""
    system, _, address = day
    fault = FaultRule(service="fluidtalk", kind=FaultKind.ANSWER, status=429, target="@sam", retry_after_seconds=600)
    system.upstreams.add_fault(fault)
    write("@sam", "SECRET question")
    desk = Desk(browser, address, viewport={"width": 1400, "height": 860})
    desk.log_in("kim")
    page = desk.page
    desk.find("sam")
    page.get_by_text("throttled by the persona (429)").first.wait_for()
    assert "SECRET" not in page.content()
    page.get_by_role("button", name="Show the words").click()
    page.get_by_text("SECRET question").first.wait_for()

    page.get_by_role("link", name="Claim").click()
    page.get_by_label("Why").fill("waits too long")
    desk.need_no_findings()
    page.get_by_role("button", name="Claim it").click()
    page.get_by_text("It is yours").wait_for()
    page.get_by_label("Your message").fill("SECRET answer of a person")
    system.workers[0].kill()
    page.get_by_role("button", name="Send").click()
    page.get_by_text("It is on its way").wait_for()
    system.start_worker()

    def arrived() -> list[str]:
        found = system.upstreams.deliveries("session-of-@sam")
        return [each.idempotency_key for each in found if "SECRET answer of a person" in str(each.messages)]

    keys = eventually(arrived, "the message of the operator")
    assert len(set(keys)) == 1
    # The page shows it by itself: nobody has loaded it again.
    page.locator(".timeline .word", has_text="answered").wait_for(timeout=15_000)
    page.get_by_role("link", name="Hand back").click()
    page.get_by_label("Drop all that waits without an answer").check()
    page.get_by_role("button", name="Hand it back").click()
    page.get_by_text("Handed back to ava").wait_for()
    page.get_by_role("link", name="Audit").click()
    assert page.locator("tbody tr").all_inner_texts()[0].split("\t")[1:3] == ["kim", "handed back"]
    assert desk.complaints == []
    assert not [each for each in desk.addresses if "SECRET" in each or "sam" in each or address not in each]
    assert "SECRET" not in system.log_of("web") + system.log_of("worker")


def test_dead_letters_are_replayed_by_group_and_every_page_is_for_everybody(day, write, browser, eventually, tmp_path):
    """A group with its number first; axe finds nothing on any page, wide and narrow, light and dark; a viewer acts on
    nothing."""
    system, _, address = day
    system.upstreams.add_fault(FaultRule(service="fluidtalk", kind=FaultKind.ANSWER, status=422, target="@wrong"))
    write("@wrong")
    write("@wrong")
    write("@john")
    desk = Desk(browser, address, viewport={"width": 1400, "height": 860}, color_scheme="light")
    desk.page.goto(address)
    desk.need_no_findings()
    desk.log_in("kim")
    page = desk.page
    page.get_by_text("ended without an answer (").wait_for(timeout=20_000)
    narrow = Desk(browser, address, viewport={"width": 390, "height": 844}, color_scheme="dark")
    narrow.log_in("kim")
    for path in ("/", "/conversations", "/dead", "/follow-ups", "/personas", "/audit", "/personas/ava/pause"):
        for each in (desk, narrow):
            each.page.goto(address + path)
            each.need_no_findings()
            room = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert each.page.evaluate(room), f"{path} is wider than the window"
    for each in (desk, narrow):
        each.find("wrong")
        each.need_no_findings()

    page.get_by_role("link", name="Dead letters").first.click()
    page.locator("tbody a").first.click()
    desk.need_no_findings()
    system.upstreams.clear_faults()
    page.get_by_role("link", name="Replay this group").click()
    page.get_by_role("heading", name="Replay 2 dead letters?").wait_for()
    desk.need_no_findings()
    page.get_by_role("button", name="Replay 2").click()
    page.get_by_text("2 of 2 replayed.").wait_for()
    eventually(lambda: system.upstreams.deliveries("session-of-@wrong"), "the answer")

    viewer = Desk(browser, address)
    viewer.log_in("vera")
    viewer.find("john")
    assert viewer.page.get_by_role("link", name="Claim").count() == 0
    assert viewer.page.get_by_role("button").all_inner_texts() == ["Log out"]
    assert desk.complaints == narrow.complaints == viewer.complaints == []


def test_what_a_lead_asks_for_is_done_in_the_browser(day, write, browser, eventually, tmp_path):
    """Export, another time for a follow-up, opted out and in, and at last forgotten: each page before it is for
    everybody, and no address names the lead."""
    system, settings, address = day
    write("@john", "SECRET words")
    eventually(lambda: system.upstreams.deliveries("session-of-@john"), "the answer", seconds=20)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)
    with Producer(settings) as producer:
        producer.enqueue(FollowUp(persona="ava", target="@john", not_before=tomorrow))
    desk = Desk(browser, address, viewport={"width": 390, "height": 844})
    desk.log_in("kim")
    page = desk.page
    page.goto(f"{address}/follow-ups")
    page.get_by_role("heading", name=f"{tomorrow:%A, %d %B %Y} (UTC)").wait_for()
    desk.need_no_findings()
    page.get_by_role("link", name="Move").click()
    later = tomorrow + timedelta(hours=3)
    page.get_by_label("New time (UTC)").fill(f"{later:%Y-%m-%dT%H:%M}")
    desk.need_no_findings()
    page.get_by_role("button", name="Move it").click()
    page.get_by_text(f"The follow-up is moved to {later:%Y-%m-%d %H:%M:%S} UTC").wait_for()

    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON Lines").click()
    assert download.value.suggested_filename == "conversation.jsonl"
    download.value.save_as(tmp_path / "conversation.jsonl")
    said = [json.loads(line) for line in (tmp_path / "conversation.jsonl").read_text().splitlines()]
    assert (said[0]["who"], said[0]["texts"]) == ("lead", ["SECRET words"])
    assert {each["who"] for each in said} == {"lead", "persona"}

    for link, button, told in (
        ("Opt out", "Opt out", "The lead is opted out."),
        ("Opt in", "Opt in", "The lead is opted in."),
        ("Opt out", "Opt out", "The lead is opted out."),
    ):
        page.get_by_role("link", name=link).click()
        desk.need_no_findings()
        page.get_by_label("Why").fill("called us")
        page.get_by_role("button", name=button).click()
        page.get_by_text(told).wait_for()
    desk.need_no_findings()
    page.goto(f"{address}/conversations?state=opted_out")
    assert page.locator("tbody tr").count() == 1

    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Forget").click()
    page.get_by_label("Forget that, too").check()
    desk.need_no_findings()
    page.get_by_role("button", name="Erase it for good").click()
    page.get_by_text("Erased: ").wait_for()
    page.get_by_text("No conversation is known yet.").wait_for()
    page.goto(f"{address}/audit")
    acts = [row.locator("td").nth(1).inner_text() for row in page.locator("tbody tr").all()]
    assert acts == ["forgot", *["consent written"] * 3, "exported", "follow-up moved"]
    assert "john" not in page.content()
    assert desk.complaints == []
    assert not [each for each in desk.addresses if "SECRET" in each or "john" in each or address not in each]
    assert "SECRET" not in system.log_of("web") + system.log_of("worker")
    assert "john" not in system.log_of("web")


PLANTED = {
    "a button without a name": "document.querySelector('button').textContent = ''",
    "text that can hardly be read": "document.querySelector('h1').style.color = '#d0d0d0'",
    "a field without a label": "document.querySelector('label').remove()",
    "a picture without a text": "document.querySelector('img').removeAttribute('alt')",
}


def test_what_shuts_people_out_is_found(day, browser):
    """The look that finds nothing on our pages finds each fault that is planted in one."""
    desk = Desk(browser, day[2], color_scheme="light")
    for fault, plant in PLANTED.items():
        desk.page.goto(day[2])
        desk.need_no_findings()
        desk.page.evaluate(plant)
        assert desk.findings(), f"not found: {fault}"


def test_it_works_by_keyboard(day, write, browser):
    """From the login to a conversation without a pointer."""
    write("@john")
    desk = Desk(browser, day[2])
    keys = desk.page.keyboard
    desk.page.goto(day[2])
    for text in ("kim", PASSWORD):
        keys.type(text)
        keys.press("Tab")
    keys.press("Enter")
    desk.page.get_by_role("button", name="Log out").wait_for()
    keys.press("Tab")
    assert desk.page.evaluate("document.activeElement.textContent") == "Skip to content"
    desk.page.goto(f"{day[2]}/conversations")
    keys.press("/")
    keys.type("john")
    keys.press("Enter")
    desk.page.locator("tbody a").first.focus()
    keys.press("Enter")
    desk.page.get_by_role("heading", name="Timeline").wait_for()
    assert desk.complaints == []
