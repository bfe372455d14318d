"""The producer of a trial: a process of its own, so that what it uses of the machine can be told from the rest."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simulation.messages import messages
from simulation.tied_process import tied_command

_SOURCE = Path(__file__).absolute().parents[2]


class FeederFailed(RuntimeError):
    """The producer ended in the middle of an order; its own error stands on standard error."""


@dataclass(frozen=True, slots=True)
class Fed:
    """When sending began and ended, in seconds since 1970, and the processor seconds that it took."""

    began_at: float
    ended_at: float
    cpu_seconds: float


class Feeder:
    """The other side of the producer. Start with ``with``.

    ``module``: a contender's, with ``send`` and ``waiting``. ``environment``: further variables of the process.
    Its methods raise ``FeederFailed``.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        path = os.pathsep.join(filter(None, (str(_SOURCE), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            tied_command([sys.executable, "-m", "benchmarks.peers.feeder", module]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **environment},
        )

    def send(self, stamp: str, count: int, conversations: int, burst: int) -> Fed:
        """Send messages (see ``messages``) as fast as the contender takes them."""
        return Fed(**self._order({"stamp": stamp, "count": count, "conversations": conversations, "burst": burst}))

    def waiting(self) -> int:
        """How many the contender says have not ended."""
        return int(self._order({}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _order(self, order: Mapping[str, Any]) -> Any:
        if self._process.stdin is None or self._process.stdout is None:
            raise FeederFailed("the producer has no pipes")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise FeederFailed(f"the producer ended with status {self._process.wait()}")
        return json.loads(answer)


def main(module: str) -> None:
    """Take orders as lines of JSON and answer each with a line."""
    contender = importlib.import_module(module)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_send(contender, order) if order else contender.waiting()), flush=True)


def _send(contender: Any, order: Mapping[str, Any]) -> dict[str, float]:
    batch = messages(**order)
    began_at, cpu = time.time(), time.process_time()
    contender.send(batch)
    return {"began_at": began_at, "ended_at": time.time(), "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    main(sys.argv[1])
