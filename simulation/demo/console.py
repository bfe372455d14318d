"""The console of a demo that runs on: its address, and an operator with a password that nobody else knows."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from config import operators
from config.operators import Operator
from simulation.servers.embedded_redis import free_port
from worker.adapters import passwords

_NAME = "demo"


@dataclass(frozen=True, slots=True)
class DemoConsole:
    """Where it is, and who may log in. ``settings``: what its web process is told."""

    url: str
    password: str = field(repr=False)
    settings: dict[str, str]

    @property
    def told(self) -> str:
        """A line for whoever looks at the demo."""
        return f"The console: {self.url} (name {_NAME}, password {self.password})"


def made_in(folder: Path) -> DemoConsole:
    """Make it. ``folder``: for the file with its operator."""
    port, password = free_port(), secrets.token_urlsafe(12)
    file = folder / "operators"
    operators.write(file, {_NAME: Operator(_NAME, ("viewer", "operator", "reader"), passwords.hashed(password))})
    settings = {
        "PARLEY_CONSOLE__ENABLED": "true",
        "PARLEY_CONSOLE__PORT": str(port),
        "PARLEY_OPERATORS_FILE": str(file),
        # So that there is something to read.
        "PARLEY_TRANSCRIPT__DAYS": "1",
    }
    return DemoConsole(f"http://127.0.0.1:{port}", password, settings)
