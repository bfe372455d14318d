"""``parley watch`` ends on Ctrl-C, whatever the store or the terminal does."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulation.servers.embedded_redis import free_port

ROOT = Path(__file__).parents[3]
DEADLINE_SECONDS = 30.0


class Terminal:
    """A terminal with the command in it."""

    def __init__(self, **variables):
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **variables}
        command = [sys.executable, "-m", "worker.cli", "watch"]
        self.process = subprocess.Popen(
            command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def until(self, text):
        """Read until it shows this."""
        until = time.monotonic() + DEADLINE_SECONDS
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            if select.select([self._ours], [], [], 0.1)[0]:
                self.shown += os.read(self._ours, 65536).decode(errors="replace")

    def ends_on(self, number):
        """Send a signal; seconds until the end."""
        sent_at = time.monotonic()
        self.process.send_signal(number)
        while self.process.poll() is None:
            assert time.monotonic() < sent_at + DEADLINE_SECONDS, self.shown
            if select.select([self._ours], [], [], 0.05)[0]:
                try:
                    self.shown += os.read(self._ours, 65536).decode(errors="replace")
                except OSError:
                    self.process.wait(DEADLINE_SECONDS)
        return time.monotonic() - sent_at

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(command_settings):
    """Open terminals."""
    opened = []

    def run(**variables):
        opened.append(Terminal(**variables))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_it_shows(terminal, store, number):
    watch = terminal()
    watch.until("no worker is alive")
    assert watch.ends_on(number) < 10
    assert watch.process.returncode == 0


def test_it_ends_while_the_store_is_frozen(terminal, store):
    watch = terminal()
    watch.until("no worker is alive")
    server = store.redis.info("server")["process_id"]
    os.kill(server, signal.SIGSTOP)
    try:
        # It asks once a second, so now it waits for an answer.
        time.sleep(1.5)
        assert watch.ends_on(signal.SIGINT) < 10
    finally:
        os.kill(server, signal.SIGCONT)
    assert watch.process.returncode == 0


def test_it_ends_while_the_store_is_unreachable(terminal, store):
    watch = terminal(PARLEY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    watch.until("gives no answer")
    assert watch.ends_on(signal.SIGINT) < 10


def test_wrong_settings_are_told_as_by_every_command(terminal, store):
    watch = terminal(PARLEY_AGENDA__SHARDS="nonsense")
    watch.process.wait(DEADLINE_SECONDS)
    assert watch.process.returncode == 2
