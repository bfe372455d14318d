"""A real PostgreSQL server for a peer, on a Unix socket in a temporary directory, durable as it comes (fsync on)."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_USERS = ("postgres", "nobody")


class PostgresqlFailed(RuntimeError):
    """The server is not on this machine, or did not come up."""


def find_binaries() -> Path | None:
    """The directory of ``initdb`` and ``postgres``: on PATH, or the newest that Debian has. None without both."""
    places = [Path(place) for place in os.get_exec_path()]
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda place: float(place.parent.name), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


class EmbeddedPostgresql:
    """Start with ``with``; ends with it, and with this process, however that ends (Linux).

    The server refuses to run as root; then it and its directory belong to the user ``postgres`` or ``nobody``.
    """

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="embedded-postgresql-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def conninfo(self) -> str:
        """How libpq finds the database."""
        return f"host={self._directory} user=parley dbname=postgres"

    @property
    def pid(self) -> int:
        """The id of the main process, whose children serve the connections. Raises ``PostgresqlFailed`` without one."""
        if self._process is None:
            raise PostgresqlFailed("the server is not running; use it with 'with'")
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise PostgresqlFailed("neither PATH nor /usr/lib/postgresql has initdb and postgres: install postgresql")
        user = _unprivileged()
        if user:
            os.chown(self._directory, user.pw_uid, user.pw_gid)
        # setpriv also ties the server to this process: SIGINT, its fast shutdown, when this one dies.
        command = ["setpriv", "--pdeathsig", "INT"]
        if user:
            command += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data, log = self._directory / "data", self._directory / "log"
        made = subprocess.run(
            [*command, str(binaries / "initdb"), "-A", "trust", "-U", "parley", "-E", "UTF8", "-D", str(data)],
            capture_output=True,
            text=True,
            cwd=self._directory,
        )
        if made.returncode:
            raise PostgresqlFailed(f"initdb ended with status {made.returncode}: {made.stderr[-500:]}")
        options = {"listen_addresses": "", "unix_socket_directories": str(self._directory)}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, str(binaries / "postgres"), "-D", str(data), *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
            )
        self._await(data / "postmaster.pid", log)

    def _await(self, state: Path, log: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            # The last line of this file says what the server is doing.
            if state.exists() and state.read_text().rstrip().endswith("ready"):
                return
            time.sleep(_POLL_SECONDS)
        raise PostgresqlFailed(f"the server did not come up; the end of its log: {log.read_text()[-500:]}")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
            self._process = None
        shutil.rmtree(self._directory, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    for name in _USERS:
        if name in known:
            return known[name]
    raise PostgresqlFailed(f"PostgreSQL does not run as root, and none of the users {', '.join(_USERS)} exists")
