"""Processor time and memory of families of processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.usage import cpu_seconds, resident_mb

BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def test_the_time_of_a_child_counts_while_it_lives_and_when_it_has_ended():
    before = cpu_seconds([os.getpid()])
    with subprocess.Popen([sys.executable, "-c", f"{BUSY}\ninput()"], stdin=subprocess.PIPE) as child:
        while cpu_seconds([child.pid]) < 0.2:
            pass
        alive = cpu_seconds([os.getpid()]) - before
    ended = cpu_seconds([os.getpid()]) - before
    assert 0.2 <= alive <= ended


def test_children_that_come_and_go_disturb_nobody():
    script = "import subprocess\nwhile True: subprocess.run(['true'])"
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        try:
            for _ in range(3000):
                cpu_seconds([parent.pid])
            assert resident_mb([parent.pid]) > 1
        finally:
            parent.kill()


def test_a_process_that_is_not_there_is_an_error():
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    with pytest.raises(FileNotFoundError):
        cpu_seconds([ended.pid])
