"""A real Redis-compatible server for tests, demo and chaos runs, started and killed at will.

It writes its append-only file as the product asks for (``appendfsync everysec``). What was acknowledged then usually
survives ``kill()``, because the file is written before the answer and only its way to the disk is delayed; but while
the disk is slow to take an earlier second, the server keeps up to two seconds in its own memory, and a kill loses
them. ``appendfsync="always"`` closes that window.
"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from simulation.processes import end, start
from simulation.servers.redis_binary import find_redis_binary

# Below the range from which Linux takes ports for outgoing connections: a client that keeps trying to reconnect while
# the server is down could otherwise be given the server's own port.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 8
_START_SECONDS = 60.0
_POLL_SECONDS = 0.01


class EmbeddedRedisFailed(RuntimeError):
    """The server did not start, or was asked for something that its state does not allow."""


class EmbeddedRedis:
    """One server process on 127.0.0.1, data in ``directory``, log in ``redis.log`` there.

    ``directory``: kept at the end if given (and made if missing); else an own one that ``stop`` removes.
    ``port``: fixed if given; else a free one, the same for the whole life of this object.
    ``options``: further lines of its configuration, which win over ours.

    The process ends with its parent (see ``tied_process``); if the parent is killed, an own directory stays behind.
    As a context manager it starts at the beginning and stops at the end. Not meant to be shared by threads.
    """

    def __init__(
        self,
        directory: Path | None = None,
        port: int | None = None,
        *,
        appendfsync: Literal["everysec", "always"] = "everysec",
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._more_options = {"appendfsync": appendfsync, **(options or {})}
        self._given_directory = directory
        self._directory: Path | None = None
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        # The same for all starts: what one program has written another one need not read.
        self._binary: Path | None = None

    @property
    def port(self) -> int:
        """The loopback port. Raises ``EmbeddedRedisFailed`` before the first start unless it was given."""
        if self._port is None:
            raise EmbeddedRedisFailed("the port is not known before the first start; call start()")
        return self._port

    @property
    def url(self) -> str:
        """``redis://127.0.0.1:PORT/0``."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def directory(self) -> Path:
        """Where the data and the log are. Raises ``EmbeddedRedisFailed`` while there is none."""
        if self._directory is None:
            raise EmbeddedRedisFailed("there is no data directory before start() and after stop(); call start()")
        return self._directory

    @property
    def log_file(self) -> Path:
        """The server's own log."""
        return self.directory / "redis.log"

    @property
    def pid(self) -> int:
        """The id of the running process. Raises ``EmbeddedRedisFailed`` if none runs."""
        if self._process is None:
            raise EmbeddedRedisFailed("the server is not running; call start()")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and return when the server answers PING with its data loaded.

        Raises ``NoRedisBinary``, or ``EmbeddedRedisFailed`` when it already runs or does not come up.
        """
        if self.running:
            raise EmbeddedRedisFailed(f"the server already runs on port {self.port}; call restart() or stop()")
        binary = self._binary = self._binary or find_redis_binary()
        directory = self._prepare_directory()
        for port in self._ports_to_try():
            if self._launch(binary, directory, port):
                self._port = port
                return
        ending = self._last_lines()
        self.stop()
        raise EmbeddedRedisFailed(f"the server ended while starting; the end of its log: {ending}")

    def stop(self) -> None:
        """SIGTERM, after 10 s SIGKILL; then the own directory is removed. Harmless if nothing runs."""
        self._end_process()
        if self._directory is not None and self._given_directory is None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = None

    def kill(self) -> None:
        """SIGKILL: the server gets no chance to do anything. The data stays for ``restart``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Start again on the same port with the same data, after ending the server in order if it still runs."""
        self._end_process()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare_directory(self) -> Path:
        if self._directory is None:
            if self._given_directory is None:
                self._directory = Path(tempfile.mkdtemp(prefix="embedded-redis-"))
            else:
                self._given_directory.mkdir(parents=True, exist_ok=True)
                self._directory = self._given_directory.absolute()
        return self._directory

    def _ports_to_try(self) -> list[int]:
        if self._port is not None:
            return [self._port]
        # Another process may take a free port before the server does; then the next one is tried.
        return [port for port in random.SystemRandom().sample(_PORTS, 20 * _ATTEMPTS) if _is_free(port)][:_ATTEMPTS]

    def _launch(self, binary: Path, directory: Path, port: int) -> bool:
        self._process = start([str(binary), *_options(directory, port, self._more_options)], cwd=directory)
        deadline = time.monotonic() + _START_SECONDS
        while self._process.poll() is None:
            if _answers(port, self._process.pid):
                return True
            if time.monotonic() > deadline:
                ending = self._last_lines()
                self.stop()
                raise EmbeddedRedisFailed(
                    f"the server on port {port} was silent for {_START_SECONDS:g} s; the end of its log: {ending}"
                )
            time.sleep(_POLL_SECONDS)
        self._process = None
        return False

    def _end_process(self) -> None:
        end(self._process)
        self._process = None

    def _last_lines(self) -> str:
        try:
            lines = self.log_file.read_text(errors="replace").splitlines()
        except OSError:
            return "(no log written)"
        return " | ".join(lines[-5:])


def _options(directory: Path, port: int, more: Mapping[str, str]) -> list[str]:
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "protected-mode": "yes",
        "daemonize": "no",
        "dir": str(directory),
        "logfile": str(directory / "redis.log"),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        # The name that Redis 6.2 knows, too.
        "hash-max-ziplist-value": "4096",
        **more,
    }
    return [word for name, value in options.items() for word in (f"--{name}", *value.split(" "))]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(port: int, pid: int) -> bool:
    """Whether process ``pid`` (and no other server on that port) answers PING; it does not while it loads its data."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            stream = connection.makefile("rwb")
            with stream:
                stream.write(b"PING\r\nINFO server\r\n")
                stream.flush()
                if stream.readline() != b"+PONG\r\n":
                    return False
                length = int(stream.readline()[1:])
                return f"process_id:{pid}\r\n".encode() in stream.read(length)
    except (OSError, ValueError):
        return False


def free_port() -> int:
    """A loopback port that nobody uses now and that no outgoing connection will be given."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        if _is_free(port):
            return port
    raise EmbeddedRedisFailed("no free port on loopback")
