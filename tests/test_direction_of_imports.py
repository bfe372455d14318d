"""``make check`` refuses an import against the direction: wrong ones are planted in a copy of the house, in each room.

The direction stands here a second time, so that a contract that was loosened is noticed. Each import is hidden in a
function, and nothing imports the planted modules.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "config", "docs_build", "simulation", "tasks", "worker")

# From below; a room knows the floors below its own. The rooms of the highest floor know each other.
FLOORS = (
    ("worker.domain", "worker.clients"),
    ("worker.store",),
    ("worker.observability",),
    ("worker.adapters",),
    ("worker.pipeline",),
    ("worker.bootstrap",),
    ("worker.celery", "worker.processes", "worker.cli", "worker.web"),
)
ROOMS = tuple(room for floor in FLOORS for room in floor)
# Where each library may be imported, beside ``simulation``, ``benchmarks`` and ``docs_build``.
OWNERS = {
    "celery": ("tasks", "worker.celery", "worker.processes"),
    "kombu": ("tasks", "worker.processes"),
    "redis": ("worker.store",),
    "httpx": ("worker.clients",),
    "tenacity": (),
    "typer": ("worker.cli",),
    "rich": ("worker.cli",),
    "starlette": ("worker.web",),
    "uvicorn": ("worker.web",),
    "standardwebhooks": ("worker.web",),
}


def wrong() -> Iterator[tuple[str, str]]:
    """A room or package, and what nothing in it may import."""
    for floor, rooms in enumerate(FLOORS):
        yield from ((room, upper) for room in rooms for above in FLOORS[floor + 1 :] for upper in above)
    yield from (("worker.domain", "worker.clients"), ("worker.clients", "worker.domain"), ("worker.clients", "config"))
    yield from ((room, "tasks") for room in ROOMS)
    yield from (("config", "worker"), ("config", "tasks"), ("tasks", "simulation"), ("simulation", "benchmarks"))
    yield from (("worker.domain", "simulation"), ("simulation", "docs_build"))
    knows_no_client = ("tasks", "worker.celery", "worker.cli", "worker.pipeline", "worker.processes", "worker.web")
    yield from ((room, "worker.clients") for room in knows_no_client)
    for library, owners in OWNERS.items():
        yield from ((room, library) for room in ("config", "tasks", *ROOMS) if room not in owners)
    yield from (
        ("worker.clients.values", other) for other in ("httpx", "worker.clients.http", "worker.clients.captivate")
    )
    yield from (("worker.store.conversations", "celery"), ("worker.store.redis", "kombu"))
    turn_parts = ("worker.pipeline.turn", "worker.pipeline.ask", "worker.pipeline.due", "worker.pipeline.celery_intake")
    yield from (("worker.web", other) for other in (*turn_parts, "worker.bootstrap"))
    yield from (("parley_client", other) for other in ("config", "tasks", "worker", "redis", "celery"))
    yield from ((room, "parley_client") for room in ("config", "tasks", *ROOMS))
    for room in ("simulation.upstreams", "simulation.servers", "simulation.judge"):
        yield from ((room, other) for other in ("config", "tasks", "worker"))


WRONG = tuple(dict.fromkeys(wrong()))
READS = ("os.environ", "os.getenv")


def planted_in(room: str) -> str:
    """The module that gets the imports: one of its own, unless the room is a single file."""
    return room if (PROJECT / f"{room.replace('.', '/')}.py").exists() else f"{room}.planted"


def copied_to(folder: Path) -> Path:
    """All our packages and the contracts, as they are."""
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    client = PROJECT / "clients" / "python" / "parley_client"
    shutil.copytree(client, folder / "parley_client", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / ".importlinter", folder)
    return folder


def said_of(folder: Path) -> str:
    """What the check says there, each finding on a line."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return f"{ended.stdout}{ended.stderr}\nstatus {ended.returncode}"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the check says when all of it is planted."""
    copy = copied_to(tmp_path_factory.mktemp("house"))
    for room in dict.fromkeys(room for room, _ in WRONG):
        lines = [f"    import {other}  # noqa\n" for place, other in WRONG if place == room]
        with (copy / f"{planted_in(room).replace('.', '/')}.py").open("a", encoding="utf-8") as file:
            file.write("\n\ndef planted() -> None:\n" + "".join(lines))
    return said_of(copy)


def test_an_import_against_the_direction_is_refused(said: str) -> None:
    found = set(re.findall(r"(\S+) -> (\S+) \(l\.", said))
    assert [each for each in WRONG if (planted_in(each[0]), each[1]) not in found] == []


def test_every_contract_refuses_something(said: str) -> None:
    assert (re.search(r" KEPT", said), said.endswith("status 1")) == (None, True)


def test_the_house_is_in_order_but_for_a_circle_and_a_new_room_without_a_place(tmp_path: Path) -> None:
    house = copied_to(tmp_path)
    (house / "config/one.py").write_text("import config.other\n", encoding="utf-8")
    (house / "config/other.py").write_text("import config.one\n", encoding="utf-8")
    (house / "worker/attic").mkdir()
    (house / "worker/attic/__init__.py").touch()
    said = said_of(house)
    broken = re.findall(r"^(.+) BROKEN", said, re.MULTILINE)
    rooms = "imports between the rooms of worker go one way; a new room needs a place here"
    assert sorted(broken) == [rooms, "no circles"], said
    assert said.endswith("status 1")


def test_only_one_file_reads_the_environment(tmp_path: Path) -> None:
    house = copied_to(tmp_path)
    shutil.copy(PROJECT / "pyproject.toml", house)
    rooms = ("config", "tasks", *ROOMS)
    for room in rooms:
        with (house / f"{planted_in(room).replace('.', '/')}.py").open("a", encoding="utf-8") as file:
            file.write('\nimport os\n\nprint(os.environ["X"])\nprint(os.getenv("X"))\n')
    command = [str(Path(sys.executable).with_name("ruff")), "check", "--no-cache", "--select", "TID251"]
    ended = subprocess.run(
        [*command, "--output-format", "concise", *PACKAGES], cwd=house, capture_output=True, text=True, check=False
    )
    found = re.findall(r"^(\S+?):\d+:\d+: TID251 `(os\.\w+)`", ended.stdout, re.MULTILINE)
    wanted = {(f"{planted_in(room).replace('.', '/')}.py", name) for room in rooms for name in READS}
    assert set(found) == wanted
