"""``parley health``: asks the workers and schedulers of this machine how they are; a container's health check."""

from __future__ import annotations

import http.client
from typing import Annotated

from typer import Option

from config.settings import load
from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No, Usage
from worker.observability.announcements import HEADER, Announcement, announced

_SECONDS = 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens, not where we do


def health(
    ready: Annotated[bool, Option("--ready", help="Ask whether it can work now, not only whether it lives.")] = False,
    port: Annotated[int | None, Option(help="Ask only the process that has this port.", min=1, max=65535)] = None,
    pid: Annotated[int | None, Option(help="Ask only the process with this number.", min=1)] = None,
    json: AsJson = False,
) -> None:
    """Ask the workers and schedulers of this machine, or this container, whether they make progress.

    Exit status 1 when one of them does not, when it is frozen, or when there is none.
    """
    settings = load(role="scheduler").metrics
    if not (port or settings.port):
        raise Usage("There is no endpoint to ask: PARLEY_METRICS__PORT is 0")
    path = "/ready" if ready else "/live"
    own = [] if port else [each for each in announced(settings.port) if pid in (None, each.pid)]
    if pid and not own:
        good, says = False, f"no worker or scheduler of this user has the number {pid}: not started, or ended"
    elif own:
        good, says = _all(own, path)
    else:
        # Of a process without a file, such as one of an older release, the port is all that is known.
        good, says = _ask(_at(settings.address), port or settings.port, path)
    if json:
        screen.as_json({"good": good, "says": says})
    elif good:
        screen.say(says)
    if not good:
        raise No(says)


def _all(own: list[Announcement], path: str) -> tuple[bool, str]:
    answers = [_of(each, path) for each in own]
    if len(own) == 1:
        return answers[0]
    # A supervisor shows the first line; what is bad comes first.
    told = sorted((good, f"process {each.pid}: {says}") for each, (good, says) in zip(own, answers, strict=True))
    return all(good for good, _ in told), "; ".join(says for _, says in told)


def _of(process: Announcement, path: str) -> tuple[bool, str]:
    if process.is_stopped:
        return False, f"process {process.pid} is frozen (SIGSTOP): continue it (kill -CONT {process.pid}) or restart it"
    if not process.port:
        return False, "this process found no free port for its endpoint: set PARLEY_METRICS__PORT, restart it"
    return _ask(_at(process.address), process.port, path, process.token)


def _at(address: str) -> str:
    return _EVERYWHERE.get(address, address)


def _ask(address: str, port: int, path: str, token: str = "") -> tuple[bool, str]:
    connection = http.client.HTTPConnection(address, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if token and answer.headers.get(HEADER) != token:
            return False, f"another process answers at {address} port {port}: this one is stuck or ended"
        return answer.status == 200, answer.read(1000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        said = f"no process answers at {address} port {port} ({type(error).__name__}): not started, ended or stuck"
        return False, said
    finally:
        connection.close()
