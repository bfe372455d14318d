"""The wheel: what its page says can be followed from there."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel as it would be published."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_its_page_has_no_link_that_leads_nowhere_from_there(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(wheel.read(name))
    page = metadata.get_payload()
    assert "pip install parley-worker" in page
    assert metadata["Description-Content-Type"] == "text/markdown"
    links = re.findall(r"\]\(([^)]*)\)|(?:href|src)=\"([^\"]*)\"", page)
    assert [link for pair in links for link in pair if link and not link.startswith("https://")] == []


def test_it_says_which_extras_there_are(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(wheel.read(name))
    for extra in metadata.get_all("Provides-Extra"):
        assert f"`{extra}`" in metadata.get_payload()
        assert f"| `{extra}` |" in (PROJECT / "docs" / "producers.md").read_text()


def test_it_holds_the_scripts_of_the_store(wheel):
    assert "worker/store/lua/accept.lua" in wheel.namelist()


def test_it_holds_its_three_packages_and_not_the_client(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"config", "tasks", "worker"}
