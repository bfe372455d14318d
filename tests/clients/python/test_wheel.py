"""The wheel of the client: it installs beside any project, and needs what it says and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
TOKEN = "token-of-the-shop-0123456789"
OURS = ("config", "tasks", "worker")

PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
import config, tasks, worker
assert [config.WHOSE, tasks.WHOSE, worker.WHOSE] == ["theirs"] * 3
from parley_client import ChannelContext, Client, InboundChat
assert not [name for name in sys.modules if name.partition(".")[0] in ("redis", "celery", "simulation", "starlette")]
with Client(sys.argv[1], token=sys.argv[2]) as client:
    channel = ChannelContext(session_id="s", metadata={})
    event = InboundChat(persona="ava", target="@john", message="hi", channel=channel)
    print(client.send(event).status, client.status(client.send(event)).status)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel as it would be published."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT / "clients" / "python", check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def of(wheel):
    """The metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def name_in(requirement):
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def closure(names):
    """Distributions of this environment, and those that they need without extras."""
    found, open_ones = {}, list(names)
    while open_ones:
        name = open_ones.pop()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another Python or platform
            continue
        open_ones += [name_in(line) for line in found[name].requires or () if "extra ==" not in line]
    return found.values()


def test_it_has_one_package_and_needs_httpx_and_pydantic_only(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        assert "parley_client/py.typed" in archive.namelist()
    assert {top for top in tops if not top.endswith(".dist-info")} == {"parley_client"}
    assert {name_in(line) for line in of(wheel).get_all("Requires-Dist")} == {"httpx", "pydantic"}


def test_its_page_has_no_link_that_leads_nowhere_from_there(wheel):
    page = of(wheel).get_payload()
    assert "pip install parley-client" in page
    assert [link for link in re.findall(r"\]\(([^)]*)\)", page) if not link.startswith("https://")] == []


@pytest.mark.slow
def test_it_installs_beside_a_project_with_packages_of_the_same_names(wheel, origin, tmp_path, waiting):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    # What it needs, without an index: as it is in this environment.
    for needed in closure(name_in(line) for line in of(wheel).get_all("Requires-Dist")):
        for file in needed.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), packages / file)
    for name in OURS:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text('WHOSE = "theirs"\n')
    before = {file: file.read_bytes() for name in OURS for file in (packages / name).rglob("*.py")}
    uv = str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python), str(wheel)]
    subprocess.run(install, check=True)
    assert {file: file.read_bytes() for file in before} == before
    done = subprocess.run(
        [str(python), "-I", "-c", PROGRAM, origin, TOKEN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["accepted", "waiting"], "")
    assert len(waiting()) == 1
