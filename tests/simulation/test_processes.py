"""Processes of a simulated system end when they are told to, and waiting for them ends, too."""

from __future__ import annotations

import signal
import sys

import pytest

from simulation.processes import end, start
from simulation.until import until

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def test_a_process_that_ignores_sigterm_is_killed_and_one_that_heeds_it_is_not(tmp_path):
    log = tmp_path / "log"
    deaf = start([sys.executable, "-c", DEAF], log=log)
    heeding = start([sys.executable, "-c", "import time; time.sleep(60)"])
    until(lambda: log.exists() and "deaf" in log.read_text(), "the first one ignores SIGTERM")
    end(deaf, None, heeding, seconds=0.5)
    assert (deaf.returncode, heeding.returncode) == (-signal.SIGKILL, -signal.SIGTERM)


def test_what_has_ended_is_left_alone():
    over = start([sys.executable, "-c", "raise SystemExit(3)"])
    over.wait(30)
    end(over)
    assert over.returncode == 3


def test_waiting_gives_what_was_waited_for_or_says_what_did_not_happen():
    found = iter([None, 0, "here"])
    assert until(lambda: next(found), "it is here", pause_seconds=0) == "here"
    with pytest.raises(TimeoutError, match=r"not within 0\.05 s: the moon is full"):
        until(lambda: False, "the moon is full", 0.05)
