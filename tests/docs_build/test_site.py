"""The site as it is built: complete, the same words as the clients, and silent towards everybody outside."""

from __future__ import annotations

import functools
import html
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from worker.cli.command import app

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make docs`` does it, from a copy, so that a build of somebody else is left alone."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("docs", "docs_build", "config", "worker", "examples", "clients"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", ".env.example", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(PROJECT / name, copy / name)
    built = subprocess.run(
        [sys.executable, "-m", "docs_build"], cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True
    )
    assert built.returncode == 0, (built.stdout + built.stderr).decode()
    return copy / "build" / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site, served on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def anchors(page: Path) -> set[str]:
    """What can be linked to on a page."""
    return set(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8")))


def text_of(page: Path) -> str:
    """The words of a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_call_of_fluidtalk_s_documentation_is_listed(site):
    calls = ["inbound_chat", "ai_opener", "event_trigger", "follow_up", "upload_image"]
    values = ["FluidTalkError", "ChatResult", "ActionResult", "UploadResult"]
    named = {f"worker.clients.fluidtalk.FluidTalk.{name}" for name in calls} | {
        f"worker.clients.fluidtalk.{name}" for name in values
    }
    assert named - anchors(site / "reference" / "fluidtalk.html") == set()


def test_every_function_of_captivate_s_documentation_is_listed(site):
    reads = {"get_session_id", "get_user_input", "get_incoming_action", "get_has_livechat", "get_channel"}
    reads |= {"get_created_at", "get_updated_at", "download_file_to_memory"}
    keeps = {"set_metadata", "get_metadata", "remove_metadata", "set_private_metadata", "set_user", "get_user"}
    keeps |= {"set_conversation_title", "get_conversation_title"}
    answers = {"set_response", "get_response", "set_outgoing_action", "async_send_message"}
    answers |= {"escalate_to_human", "escalate_to_agent_router", "escalate_to_agent"}
    named = {f"worker.clients.captivate.Captivate.{name}" for name in reads | keeps | answers}
    assert named - anchors(site / "reference" / "captivate.html") == set()


def test_every_command_is_listed(site):
    command: Any = get_command(app)
    groups = [(f"parley {name}", group) for name, group in command.commands.items() if hasattr(group, "commands")]
    paths = {f"{path} {name}" for path, group in [("parley", command), *groups] for name in group.commands}
    assert {path.replace(" ", "-") for path in paths} - anchors(site / "commands.html") == set()


def test_an_event_is_shown_with_the_fields_of_its_bases_and_their_defaults(site):
    page = text_of(site / "reference" / "producer.html")
    _, event = page.split("The lead wrote.", maxsplit=1)
    shown = event[: event.index("one_image_each")]
    assert re.findall(r"\b(?:persona|message|attachments): [^\n]*", shown) == [
        "persona: PersonaName",
        "message: Text = ''",
        "attachments: tuple[Attachment, ...] = ()",
    ]
    assert "Validators" not in page


def test_the_changelog_is_a_page_whose_links_lead_to_pages(site):
    page = (site / "changelog.html").read_text(encoding="utf-8")
    assert 'id="changelog"' in page
    assert re.findall(r'href="[^"]*\bdocs/[^"]*"', page) == []


def test_no_note_of_those_who_change_the_code_is_left_in_the_reference(site):
    for page in (site / "reference").glob("*.html"):
        assert re.findall(r"protocols\.md|\bseed \w+|\([FC]\d{1,2}\)", text_of(page)) == [], page.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_pages_ask_nobody_outside_and_fit_the_screen(address, site, browser, scheme, width):
    asked: list[str] = []
    wrong: list[str] = []
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for name in ("index", "concepts", "settings", "commands", "changelog", "alerts/index", "reference/captivate"):
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        pictures = page.evaluate("[...document.images].map(image => [image.src, image.naturalWidth])")
        assert [source for source, drawn in pictures if not drawn] == [], name
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert wrong == []


def test_a_setting_is_found_by_its_name(address, browser):
    page = browser.new_page()
    page.goto(f"{address}/index.html", wait_until="networkidle")
    page.keyboard.press("Control+k")
    page.keyboard.type("PARLEY_WORKER__CONCURRENCY")
    page.locator('a[href*="settings.html?h="][href$="#worker"]').wait_for(timeout=10_000)
