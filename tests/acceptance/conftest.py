"""Whole systems: real Redis, real Celery worker and beat processes, real HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from config.settings import Settings, load
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
