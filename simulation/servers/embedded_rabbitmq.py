"""A real RabbitMQ for tests, started and killed at will, when this machine has one installed.

There is no package of it that pip could install, so it is never needed: whoever asks for it is told how to get it.
Only loopback, no port but that of AMQP and those that Erlang needs, its own cookie, data in a directory of its own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from simulation.processes import end, start
from simulation.servers.embedded_redis import free_port

_PLACES = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/usr/local/sbin/rabbitmq-server"))
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05


class NoRabbitMQ(RuntimeError):
    """This machine has no RabbitMQ that ``EmbeddedRabbitMQ`` could start."""


class EmbeddedRabbitMQFailed(RuntimeError):
    """The server did not come up."""


def find_rabbitmq() -> Path:
    """The server's start script. Raises ``NoRabbitMQ``, which says what to install."""
    # Debian's script on PATH insists on root or its own user; the one that it calls does not.
    for place in _PLACES:
        if place.is_file() and shutil.which("epmd"):
            return place
    raise NoRabbitMQ("no RabbitMQ found: install it (Debian: apt-get install rabbitmq-server)")


class EmbeddedRabbitMQ:
    """One server on 127.0.0.1 with the user guest; a context manager.

    ``url`` stays the same for the life of the object, also over ``kill`` and ``restart``; so does the data.
    """

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="embedded-rabbitmq-"))
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self.port, self._epmd_port, erlang_port = (free_port() for _ in range(3))
        self._environment = self._prepare(erlang_port)

    @property
    def url(self) -> str:
        """``amqp://guest:guest@127.0.0.1:PORT//``."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start, and return when it takes connections. Raises ``NoRabbitMQ`` or ``EmbeddedRabbitMQFailed``."""
        binary = find_rabbitmq()
        if self._epmd is None:
            # Else Erlang would start one that stays behind.
            epmd = shutil.which("epmd") or ""
            self._epmd = self._spawn([epmd, "-address", "127.0.0.1", "-port", str(self._epmd_port)])
        self._server = self._spawn([str(binary)])
        deadline = time.monotonic() + _START_SECONDS
        while not self._takes_connections():
            if self._server.poll() is not None or time.monotonic() > deadline:
                ending = (self._directory / "log").read_text(errors="replace")[-1500:]
                self.stop()
                raise EmbeddedRabbitMQFailed(f"RabbitMQ did not come up; the end of its log: {ending}")
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """SIGKILL: it gets no chance to do anything. The data stays for ``restart``."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def restart(self) -> None:
        """Start again with the same data, after ending it in order if it still runs."""
        end(self._server, seconds=_STOP_SECONDS)
        self._server = None
        self.start()

    def stop(self) -> None:
        """End it and remove its data."""
        end(self._server, seconds=_STOP_SECONDS)
        end(self._epmd, seconds=_STOP_SECONDS)
        self._server = self._epmd = None
        shutil.rmtree(self._directory, ignore_errors=True)

    def control(self, *words: str) -> list[str]:
        """What ``rabbitmqctl`` says to these words, by line, without headings."""
        command = [
            str(find_rabbitmq().with_name("rabbitmqctl")),
            "--silent",
            "--node",
            self._environment["RABBITMQ_NODENAME"],
        ]
        run = subprocess.run([*command, *words], env=self._environment, capture_output=True, text=True, check=True)
        return run.stdout.splitlines()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        return start(command, cwd=self._directory, env=self._environment, log=self._directory / "log")

    def _prepare(self, erlang_port: int) -> dict[str, str]:
        here = self._directory
        config = here / "rabbitmq.conf"
        # Half of a small machine's memory and disk would be enough for it to refuse messages.
        config.write_text("disk_free_limit.absolute = 50MB\nlog.console = true\nlog.console.level = warning\n")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(here),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"parley{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(erlang_port),
            "RABBITMQ_BASE": str(here),
            "RABBITMQ_MNESIA_BASE": str(here / "data"),
            "RABBITMQ_LOG_BASE": str(here / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(here / "none"),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # As under systemd: the script becomes the server, so that its process id is the server's own.
            "NOTIFY_SOCKET": str(here / "nobody-listens"),
        }

    def _takes_connections(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                # A server that is still starting closes it; a ready one begins to talk.
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return len(connection.recv(8)) == 8
        except OSError:
            return False
