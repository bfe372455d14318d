"""Whole systems: real Redis, real Celery worker and beat processes, real HTTP on loopback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NoReturn

import pytest

from config.settings import Settings, load
from worker.simulation.embedded_rabbitmq import EmbeddedRabbitMQ, NoRabbitMQ, find_rabbitmq
from worker.simulation.system import RunningSystem


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[RunningSystem, Settings]]]:
    """Start a system; returns it and the settings that all its processes have."""
    with ExitStack() as running:

        def run(**options: Any) -> tuple[RunningSystem, Settings]:
            system = running.enter_context(RunningSystem(**options))
            for name, value in system.environment.items():
                monkeypatch.setenv(name, value)
            return system, load(env_file=None)

        yield run


@pytest.fixture(scope="session")
def need() -> Callable[[str], NoReturn]:
    """To be called with a reason when a server program is not there: nobody has to install it, but CI has to."""

    def missing(reason: str) -> NoReturn:
        if os.environ.get("CI"):
            pytest.fail(f"{reason}. In CI this test must run")
        pytest.skip(reason)

    return missing


@pytest.fixture(scope="session")
def rabbitmq(need: Callable[[str], NoReturn]) -> Iterator[EmbeddedRabbitMQ]:
    """One RabbitMQ for the session."""
    try:
        find_rabbitmq()
    except NoRabbitMQ as missing:
        need(str(missing))
    with EmbeddedRabbitMQ() as server:
        yield server
