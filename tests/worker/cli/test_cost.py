"""What a command costs: it loads what it needs, and nothing of a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

_LOADED = """
import sys
from worker.cli import main
sys.argv = ["parley", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("\\n" + " ".join(sys.modules))
"""
# What a worker needs: clients, Celery, servers, the parts that change something.
_OF_WORKERS = (
    "celery",
    "cryptography.hazmat",
    "httpx",
    "kombu",
    "prometheus_client",
    "starlette",
    "tenacity",
    "worker.adapters",
    "worker.bootstrap",
    "worker.clients.captivate",
    "worker.clients.fluidtalk",
    "worker.clients.http",
    "worker.domain.events",
    "worker.pipeline",
    "worker.processes",
    "worker.store.conversations.turn_steps",
    "worker.store.operator.erasure",
)
_PLUGIN = """
import pathlib
pathlib.Path("loaded").touch()
class plugin:
    new_schema_validator = lambda *_, **__: (None, None, None)
"""
# Typer, rich, redis, and pydantic with what a model of it needs.
_LIBRARIES = (
    "import sys, typer, rich, redis, pydantic, dotenv, annotated_types; "
    "from pydantic import BaseModel; print(*sys.modules)"
)
# What ``status`` needs on some days only.
_ON_SOME_DAYS = {
    "tomllib",
    "worker.cli.dead",
    "worker.observability.checks",
    "worker.store.conversations.follow_ups",
    "worker.store.operator.dead_letters",
}


@pytest.fixture
def loaded(command_settings, store):
    """The modules that a run of the command has loaded at its end."""

    def run(*words):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _LOADED, *words]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        return set(ended.stdout.rpartition("\n\n")[2].split() or ended.stdout.splitlines()[-1].split())

    return run


@pytest.fixture(scope="module")
def libraries():
    """The packages that a command may load beside ours."""
    base = subprocess.run([sys.executable, "-c", _LIBRARIES], capture_output=True, text=True, check=True)
    return _packages(base.stdout.split())


@pytest.mark.parametrize("words", [("status",), ("explain", "ava", "@lead"), ("conversations",), ("find", "x")])
def test_a_command_that_looks_loads_nothing_of_a_worker_and_no_further_library(loaded, libraries, store, chat, words):
    store.inbox.accept(chat("e1"))
    modules = loaded(*words)
    assert {name for name in modules if name.startswith(_OF_WORKERS)} == set()
    assert _packages(modules) - sys.stdlib_module_names - libraries == {"config", "worker"}


def _packages(modules):
    return {name.partition(".")[0] for name in modules}


def test_status_loads_what_it_needs_today(loaded, store, chat, die):
    store.inbox.accept(chat("e1"))
    assert loaded("status") & _ON_SOME_DAYS == set()
    die("e2", target="@other")
    assert loaded("status") & _ON_SOME_DAYS == {"worker.store.operator.dead_letters"}


def test_no_plugin_of_pydantic_is_loaded(command_settings, store, tmp_path):
    facts = tmp_path / "plugged-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[pydantic]\nplugged = plugged:plugin\n")
    (tmp_path / "plugged.py").write_text(_PLUGIN)

    def leaves_a_mark(*command):
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
        subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=True)
        return (tmp_path / "loaded").exists()

    assert not leaves_a_mark("-m", "worker.cli", "status")
    assert leaves_a_mark("-c", "from worker.cli import main; import sys; sys.argv = ['parley', 'status']; main()")


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("dead", "--help"), ("nonsense",)])
def test_help_loads_neither_settings_nor_store(loaded, words):
    assert loaded(*words) & {"redis", "config.settings", "worker.store"} == set()


def test_a_command_that_looks_needs_no_key(parley, monkeypatch, store, chat):
    store.inbox.accept(chat("e1"))
    for name in ("PARLEY_PERSONAS__AVA__API_KEY", "PARLEY_PERSONAS__BEA__API_KEY", "PARLEY_CAPTIVATE__ENVIRONMENT"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PARLEY_PERSONAS", "ava,bea")
    for words in (("status",), ("explain", "ava", "@lead"), ("conversations",), ("find", "lead"), ("claims",)):
        assert parley(*words).status == 0, words
    refused = parley("claim", "ava", "@lead")
    assert refused.status == 2
    assert "API_KEY is missing" in refused.err
