"""Running the doubles from a test, a demo or a benchmark, and telling them what to do."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from simulation.processes import end
from simulation.tied_process import tied_command
from simulation.upstreams.call_log import Call, Service, ServiceSummary
from simulation.upstreams.faults import FaultRule
from simulation.upstreams.simulation import Delivery

_START_SECONDS = 20.0
_ANSWER_SECONDS = 30.0
_IDLE_SECONDS = 1.0
_PAGE = 2_000
# The package has to be found by the new process, installed or not.
_ROOT = Path(__file__).absolute().parents[2]


class SimulationFailed(RuntimeError):
    """The doubles did not start, or refused an order."""


class SimulationControl:
    """The orders that running doubles take. ``url``: of either double; orders and counts concern both.

    Safe for any number of threads. Every method raises ``SimulationFailed`` if the order is refused or not answered.
    """

    def __init__(self, url: str) -> None:
        # Plain HTTP on loopback: reading the machine's certificates would only take time. The servers close what was
        # idle for 5 s, and an order that goes out at that moment gets no answer.
        self._http = httpx.Client(
            base_url=f"{url}/_simulation",
            timeout=_ANSWER_SECONDS,
            trust_env=False,
            verify=False,
            limits=httpx.Limits(keepalive_expiry=_IDLE_SECONDS),
        )

    def set_latency(
        self,
        low: float,
        high: float | None = None,
        *,
        service: Service | None = None,
        persona: str | None = None,
        target: str | None = None,
        session_id: str | None = None,
    ) -> None:
        """Take ``low`` seconds for each answer, or ``low`` to ``high``. The most particular setting holds.

        Without ``service``, ``target`` and ``session_id`` it is set for both services.
        """
        scope = {"service": service, "persona": persona, "target": target, "session_id": session_id}
        self._post("latency", {"low": low, "high": low if high is None else high, **scope})

    def add_fault(self, rule: FaultRule) -> None:
        """Put a fault rule behind those in force."""
        self._request("POST", "faults", content=rule.model_dump_json(exclude_defaults=True))

    def clear_faults(self) -> None:
        """Remove all fault rules; calls that hang already go on hanging."""
        self._post("faults/clear")

    def release(self) -> None:
        """Let go of all calls that hang: their connections are closed."""
        self._post("release")

    def seal(self, persona: str, target: str) -> None:
        """Finish a conversation: from now on 400 with DONE."""
        self._post("seal", {"persona": persona, "target": target})

    def own_elsewhere(self, persona: str, target: str) -> None:
        """Give a lead to another account of the persona: from now on ignored. With a connector token the target is
        ``platform/handle``."""
        self._post("own_elsewhere", {"persona": persona, "target": target})

    def set_credits(self, persona: str, starts: int | None) -> None:
        """Let the persona start so many conversations more, then answer 402; None lifts the limit.

        One with a connector token pays for each turn: it can take so many more.
        """
        self._post("credits", {"persona": persona, "starts": starts})

    def calls(self, since: int = 0) -> list[Call]:
        """All ended calls with a ``seq`` larger than ``since``, in the order of their end."""
        calls: list[Call] = []
        while True:
            query = {"since": str(calls[-1].seq if calls else since), "limit": str(_PAGE)}
            page = [Call(**json.loads(line)) for line in self._get("calls", query).text.splitlines()]
            calls += page
            if len(page) < _PAGE:
                return calls

    def summary(self) -> dict[Service, ServiceSummary]:
        """The counts of each service."""
        answer: dict[Service, dict[str, Any]] = self._get("summary").json()
        return {service: ServiceSummary(**counts) for service, counts in answer.items()}

    def deliveries(self, session_id: str) -> list[Delivery]:
        """What Captivate accepted for a session id, in order."""
        answer = self._get("deliveries", {"session_id": session_id})
        return [Delivery(**delivery) for delivery in answer.json()]

    def reset(self) -> None:
        """Back to the state of the start: no calls, rules, conversations, deliveries; latency as at the start."""
        self._post("reset")

    def close(self) -> None:
        """Close the connections to the doubles."""
        self._http.close()

    def _get(self, order: str, query: Mapping[str, str] | None = None) -> httpx.Response:
        return self._request("GET", order, params=query)

    def _post(self, order: str, body: Mapping[str, object] | None = None) -> None:
        self._request("POST", order, content=json.dumps(body or {}))

    def _request(self, method: str, order: str, **content: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, f"/{order}", **content)
        except httpx.TransportError as error:
            raise SimulationFailed(f"the simulation did not answer {order}: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise SimulationFailed(f"the simulation refused {order} with {answer.status_code}: {answer.text}")
        return answer


class SimulatedUpstreams(SimulationControl):
    """Both doubles as a process of their own, which ends with this one (see ``tied_process``).

    ``personas``: name to API key, by default ``{"ava": "ft_sk_ava"}``. ``latency`` and ``captivate_latency``: seconds,
    or a pair of the least and the most. ``call_log``: file to which each call is appended as a line of JSON. Ports: 0
    for a free one. Start with ``with`` or ``start``; orders can be given from then on.
    """

    def __init__(
        self,
        *,
        personas: Mapping[str, str] | None = None,
        latency: float | tuple[float, float] = 0.0,
        captivate_latency: float | tuple[float, float] = 0.0,
        call_log: Path | None = None,
        fluidtalk_port: int = 0,
        captivate_port: int = 0,
    ) -> None:
        self._options = [
            *(f"--persona={name}={key}" for name, key in (personas or {}).items()),
            f"--latency={_range(latency)}",
            f"--captivate-latency={_range(captivate_latency)}",
            *([f"--call-log={call_log.absolute()}"] if call_log else []),
        ]
        self._ports = (fluidtalk_port, captivate_port)
        self._process: subprocess.Popen[bytes] | None = None
        self.fluidtalk_url = ""
        self.captivate_url = ""

    @property
    def pid(self) -> int:
        """The id of the process. Raises ``SimulationFailed`` if none runs."""
        if self._process is None:
            raise SimulationFailed("the simulation is not running; call start()")
        return self._process.pid

    def start(self) -> None:
        """Start and return when both doubles listen; again after ``kill``, with the same ports and an empty memory.

        Raises ``SimulationFailed`` if they do not listen.
        """
        if self._process is not None:
            raise SimulationFailed("the simulation already runs; call stop() first")
        ports = [f"--fluidtalk-port={self._ports[0]}", f"--captivate-port={self._ports[1]}"]
        self._process = subprocess.Popen(
            tied_command([sys.executable, "-m", "simulation", *self._options, *ports]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        try:
            addresses = json.loads(self._first_line(self._process))
        except BaseException:
            self.kill()
            raise
        self.fluidtalk_url = addresses["fluidtalk_url"]
        self.captivate_url = addresses["captivate_url"]
        self._ports = (_port(self.fluidtalk_url), _port(self.captivate_url))
        super().__init__(self.fluidtalk_url)

    def stop(self) -> None:
        """SIGTERM, after 10 s SIGKILL. Harmless if nothing runs."""
        if self._process is None:
            return
        end(self._process)
        self.kill()

    def kill(self) -> None:
        """SIGKILL: no call under way gets an answer. Harmless if nothing runs."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None
        if self.fluidtalk_url:
            self.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _first_line(process: subprocess.Popen[bytes]) -> bytes:
        if process.stdout is None:
            raise SimulationFailed("the simulation has no standard output to read its addresses from")
        deadline = time.monotonic() + _START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise SimulationFailed(f"the simulation did not listen within {_START_SECONDS:g} s")
        line: bytes = process.stdout.readline()
        if not line:
            raise SimulationFailed(f"the simulation ended while starting, with code {process.wait()}; see its errors")
        return line


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _range(seconds: float | tuple[float, float]) -> str:
    low, high = seconds if isinstance(seconds, tuple) else (seconds, seconds)
    return f"{low}:{high}"
