"""docker-compose.yml without a container engine: it is valid, and each of its own commands and health checks works.

The commands and health checks are taken from the file and run by hand on this machine: hosts become loopback, mounted
paths become files of the test. What only an engine can show (networks, users, read-only file systems) is not shown.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from redis import Redis, RedisError

from simulation.servers.embedded_redis import free_port
from simulation.tied_process import tied_command

pytestmark = pytest.mark.acceptance

PROJECT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("worker", "scheduler", "flower", "web", "simulated-upstreams", "simulated-leads")


class Machine:
    """Runs services of the file on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.data = folder / "data"
        self.data.mkdir()
        # As the Makefile does it, in a copy of the place that it writes to.
        (folder / "deploy").mkdir()
        script = shutil.copy(PROJECT / "deploy" / "make-secrets", folder / "deploy")
        subprocess.run([script], check=True, capture_output=True)
        (folder / "deploy" / "secrets").rename(self.secrets)
        self.ports = {name: free_port() for name in ("redis", "flower", "fluidtalk", "captivate", "web", "console")}
        self.metrics = {name: free_port() for name in OURS}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, text: str) -> str:
        """A text of the file in this machine's terms."""
        personas = str(self.secrets / "personas.toml")
        for there, here in (
            ("/run/secrets/personas", personas),
            ("/run/secrets/", f"{self.secrets}/"),
            ("/data", str(self.data)),
            ("/tmp/redis.conf", f"{self.folder}/redis.conf"),
            ("redis://redis:6379", f"redis://127.0.0.1:{self.ports['redis']}"),
            ("--timeout 0", f"--timeout 0 --port {self.ports['redis']}"),
            ("redis-cli ", f"redis-cli -p {self.ports['redis']} "),
            ("simulated-upstreams:8001", f"127.0.0.1:{self.ports['fluidtalk']}"),
            ("simulated-upstreams:8002", f"127.0.0.1:{self.ports['captivate']}"),
            ("port=8001", f"port={self.ports['fluidtalk']}"),
            ("port=8002", f"port={self.ports['captivate']}"),
            ("127.0.0.1:5555", f"127.0.0.1:{self.ports['flower']}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self.ports['web']}"),
            ("http://web:8080", f"http://127.0.0.1:{self.ports['web']}"),
            ("0.0.0.0", "127.0.0.1"),
            ("$$", "$"),
        ):
            text = text.replace(there, here)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """What the container would see, and the ports that it has for itself there."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        lines = (PROJECT / "deploy" / "demo.env").read_text().splitlines()
        demo = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        own = SERVICES[service].get("environment", {})
        told = {name: self.here(value) for name, value in {**demo, **own}.items()}
        return {
            **outside,
            "PYTHONPATH": str(PROJECT),
            **told,
            "PARLEY_METRICS__PORT": str(self.metrics[service]),
            "PARLEY_FLOWER__PORT": str(self.ports["flower"]),
            "PARLEY_INGRESS__PORT": str(self.ports["web"]),
            "PARLEY_CONSOLE__PORT": str(self.ports["console"]),
        }

    def start(self, service: str) -> None:
        """Run the service's command."""
        command = _command(self.here(part) for part in SERVICES[service]["command"])
        environment = self.environment(service) if service in OURS else dict(os.environ)
        with (self.folder / f"{service}.log").open("wb") as log:
            self.processes[service] = subprocess.Popen(
                tied_command(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.folder,
            )

    def healthy(self, service: str) -> bool:
        """Run the service's health check."""
        kind, *command = (self.here(part) for part in SERVICES[service]["healthcheck"]["test"])
        command = _command(["sh", "-c", *command] if kind == "CMD-SHELL" else command)
        environment = self.environment(service) if service in OURS else dict(os.environ)
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    def log(self, service: str) -> str:
        """What it printed."""
        return (self.folder / f"{service}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End all, Redis last."""
        for process in reversed(self.processes.values()):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.wait()


def _command(parts: Iterable[str]) -> list[str]:
    program, *arguments = parts
    return [_program(program), *arguments]


def _program(part: str) -> str:
    if part in ("python", "celery", "parley"):
        return str(Path(sys.executable).with_name(part))
    return shutil.which(part) or part


@pytest.fixture
def machine(tmp_path: Path, need: Callable[[str], NoReturn]) -> Iterator[Machine]:
    """A place for the services, with secrets as ``make secrets`` makes them."""
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        need("redis-server and redis-cli are not installed")
    running = Machine(tmp_path)
    yield running
    running.stop()


def test_the_whole_demo_profile_works(machine: Machine, eventually: Callable[..., Any]) -> None:
    """Every service of ours starts by its own command, is healthy by its own check, and leads get answers."""
    machine.start("redis")
    eventually(lambda: machine.healthy("redis"), "redis", seconds=20)
    for service in ("simulated-upstreams", "worker", "scheduler", "flower", "web"):
        machine.start(service)
    for service in ("worker", "scheduler", "flower", "web"):
        eventually(lambda name=service: machine.healthy(name), f"{service}: {machine.log(service)}", seconds=40)
    machine.start("simulated-leads")

    def answered() -> int:
        environment = machine.environment("worker")
        books = subprocess.run(
            [_program("parley"), "books", "--json"],
            env=environment,
            cwd=machine.folder,
            capture_output=True,
            check=True,
        )
        told = json.loads(books.stdout)
        return sum(int(number) for number in re.findall(r'"answered": (\d+)', json.dumps(told)))

    eventually(lambda: answered() >= 4, "four answers", seconds=40)
    assert "not accepted" not in machine.log("simulated-leads"), "both doors take what leads write"
    for service in OURS:
        assert machine.processes[service].poll() is None, machine.log(service)


def test_health_checks_can_fail(machine: Machine, eventually: Callable[..., Any]) -> None:
    """Nothing runs, so nothing is healthy; and Redis lets nobody in without the password."""
    for service, told in SERVICES.items():
        if "healthcheck" in told:
            assert not machine.healthy(service), service
    machine.start("redis")
    eventually(lambda: machine.healthy("redis"), "redis", seconds=20)
    with Redis(port=machine.ports["redis"]) as stranger, pytest.raises(RedisError, match=r"(?i)auth"):
        stranger.ping()
    password = (machine.secrets / "redis_password").read_text().strip()
    with Redis(port=machine.ports["redis"], password=password) as known:
        assert known.config_get("appendonly") == {"appendonly": "yes"}
        assert known.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert known.config_get("timeout") == {"timeout": "0"}
    arguments = Path(f"/proc/{machine.processes['redis'].pid}/cmdline").read_text()
    assert password not in arguments


@pytest.mark.parametrize("profiles", [(), ("demo",), ("monitoring",), ("web",)])
def test_compose_accepts_the_file(tmp_path: Path, need: Callable[[str], NoReturn], profiles: tuple[str, ...]) -> None:
    """``docker compose config``, by whichever Compose this machine has."""
    compose = _compose()
    if compose is None:
        need("docker compose is not installed")
    shutil.copy(PROJECT / "docker-compose.yml", tmp_path)
    shutil.copy(PROJECT / "deploy" / "demo.env", tmp_path / ".env")
    options = [part for profile in profiles for part in ("--profile", profile)]
    done = subprocess.run(
        [*compose, *options, "config", "--services"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    wanted = {name for name, told in SERVICES.items() if set(told.get("profiles", ())) <= set(profiles)}
    assert wanted <= set(done.stdout.split())


def _compose() -> list[str] | None:
    if shutil.which("docker"):
        done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if done.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


def test_what_is_published_is_loopback_only() -> None:
    """A port that is open to everybody is an operator's decision, not a default."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("service", OURS)
def test_our_containers_can_do_little(service: str) -> None:
    """No root, no capabilities, nothing to write but /tmp and a volume; the image's user is not root."""
    told = SERVICES[service]
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in told["security_opt"]
    assert re.search(r"^USER parley$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)


def test_the_image_holds_all_that_runs(machine: Machine) -> None:
    """What the Dockerfile copies exists, and no secret is among it."""
    copied = re.findall(r"^COPY (?!--from)(\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    for source in copied:
        for requirements in ("base", "demo"):
            assert (PROJECT / source.replace("${REQUIREMENTS}", requirements)).exists()
    # What `make run` gives its processes, and the tests theirs.
    assert "\nENV GLIBC_TUNABLES=glibc.malloc.tcache_count=0\n" in (PROJECT / "Dockerfile").read_text()
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert not any("deploy" in line or ".env" in line for line in ignored)
