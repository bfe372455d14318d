"""The demo as a user runs it: real processes, judged by what it prints, its exit status, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = {"redis", "upstreams", "worker", "beat", "web"}

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


@pytest.fixture
def start_demo(tmp_path):
    """Start the demo in a process group of its own, as a terminal does; what it prints goes to a file."""
    started = []

    def start(*arguments):
        output = tmp_path / "output.txt"
        environment = {**os.environ, "TMPDIR": str(tmp_path), "PARLEY_REDIS_URL": "redis://127.0.0.1:1/0"}
        with output.open("wb") as file:
            command = [sys.executable, "-m", "simulation.demo", *arguments]
            demo = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT, env=environment, start_new_session=True
            )
        started.append(demo)
        return demo, output

    yield start
    for demo in started:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()


def pids(shown):
    return {name: int(pid) for name, pid in re.findall(r"^  (\w+) +pid (\d+)", shown, re.MULTILINE)}


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def logs_kept(folder):
    return sorted(folder.glob("parley-demo-*"))


def test_the_demo_runs_by_itself_and_all_of_it_is_true(start_demo, tmp_path):
    demo, output = start_demo()
    status = demo.wait(150)
    shown = output.read_text()
    assert status == 0, shown
    assert re.search(r"^All \d+ checks hold", shown, re.MULTILINE)
    assert "\x1b" not in shown
    assert "✗" not in shown
    assert re.search(r"^  web +pid \d+ .*: http://127\.0\.0\.1:\d+$", shown, re.MULTILINE), "where the ingress is"
    assert re.search(r"✓ notices .* (\d+) for \1 fates$", shown, re.MULTILINE)
    assert re.search(r"^  @ivan +parley\.conversation\.sealed +persona_ended$", shown, re.MULTILINE)
    assert re.search(r"✓ receipts .* (\d+) of \1$", shown, re.MULTILINE)
    assert re.search(r"held [23]\.\d s", shown), "Retry-After, and a little behind the others"
    for trouble in ("resent with the same Idempotency-Key", "ignored:", "sealed:", "joined into one turn", "text lost"):
        assert trouble in shown
    assert pids(shown).keys() == PROCESSES
    assert not [name for name, pid in pids(shown).items() if alive(pid)]
    assert logs_kept(tmp_path) == []
    assert max(map(len, shown.splitlines())) <= 100


def test_ctrl_c_finishes_what_was_begun_and_stops_all_processes(start_demo, tmp_path, eventually):
    demo, output = start_demo("--forever")
    eventually(lambda: "@bruno           · held" in output.read_text(), "trouble under way", seconds=120)
    os.killpg(demo.pid, signal.SIGINT)
    status = demo.wait(90)
    shown = output.read_text()
    assert status == 0, shown
    assert "leads were interrupted in the middle" in shown
    assert "You said: are you open on Sundays?" in shown, "a message that was accepted is answered all the same"
    assert not [name for name, pid in pids(shown).items() if alive(pid)]
    assert logs_kept(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_in_a_single_round_claims_nothing(start_demo, eventually):
    demo, output = start_demo()
    eventually(lambda: "@maya" in output.read_text(), "the first line", seconds=60)
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(30) == 130
    shown = output.read_text()
    assert "Interrupted: nothing was judged." in shown
    assert "checks hold" not in shown
    assert not [name for name, pid in pids(shown).items() if alive(pid)]


@pytest.mark.slow
def test_a_worker_that_dies_is_named_with_the_end_of_its_log(start_demo, tmp_path, eventually):
    demo, output = start_demo()
    eventually(lambda: "@maya" in output.read_text(), "the first line", seconds=60)
    os.kill(pids(output.read_text())["worker"], signal.SIGKILL)
    assert demo.wait(30) == 1
    shown = output.read_text()
    assert "died. The end of its log:" in shown
    assert "worker ready" in shown
    (kept,) = logs_kept(tmp_path)
    assert {"worker-0.log", "beat-0.log", "web-0.log", "redis.log", "calls.jsonl"} <= {
        file.name for file in kept.iterdir()
    }
    assert not [name for name, pid in pids(shown).items() if alive(pid)]


@pytest.mark.slow
def test_the_processes_do_not_find_an_operators_env_file(start_demo, eventually):
    """A .env in the working directory could join them to a real broker."""
    demo, output = start_demo()
    running = eventually(lambda: pids(output.read_text()), "the processes", seconds=60)
    for name in ("worker", "beat", "web"):
        assert not Path(f"/proc/{running[name]}/cwd").resolve().is_relative_to(ROOT)
    demo.terminate()
    assert demo.wait(30) == 130
