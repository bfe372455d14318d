"""``parley health``: asks a worker or scheduler on this machine how it is, as a container's health check does."""

from __future__ import annotations

import http.client
from typing import Annotated

from typer import Option

from config.settings import load
from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No, Usage

_SECONDS = 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens, not where we do


def health(
    ready: Annotated[bool, Option("--ready", help="Ask whether it can work now, not only whether it lives.")] = False,
    port: Annotated[int | None, Option(help="Of which process; else PARLEY_METRICS__PORT.", min=1, max=65535)] = None,
    json: AsJson = False,
) -> None:
    """Ask the worker or scheduler on this machine whether it makes progress. Exit status 1 when not."""
    settings = load(role="scheduler").metrics
    asked_port = port or settings.port
    if not asked_port:
        raise Usage("There is no endpoint to ask: PARLEY_METRICS__PORT is 0")
    address = _EVERYWHERE.get(settings.address, settings.address)
    good, says = _ask(address, asked_port, "/ready" if ready else "/live")
    if json:
        screen.as_json({"good": good, "says": says})
    elif good:
        screen.say(says)
    if not good:
        raise No(says)


def _ask(address: str, port: int, path: str) -> tuple[bool, str]:
    connection = http.client.HTTPConnection(address, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status == 200, answer.read(1000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        said = f"no process answers at {address} port {port} ({type(error).__name__}): not started, ended or stuck"
        return False, said
    finally:
        connection.close()
