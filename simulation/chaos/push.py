"""Those who push notices in a chaos run, and the one who gets them: processes that are killed like all others."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from simulation.chaos.incidents import Incidents
from simulation.chaos.notice_receiver import PATH, SECRET
from simulation.processes import end, start
from simulation.servers.embedded_redis import free_port
from simulation.servers.system import RunningSystem

NAME = "chaos"
SENDER_ENDED_BY_ITSELF = "sender of notices ended by itself"
RECEIVER_BACK = "receiver back"

_SOURCE = Path(__file__).absolute().parents[2]
_STEPPING = "simulation.chaos.stepping_web"
_SENDERS = 2
_LAST_LINES = 20

_log = logging.getLogger(__name__)


class Push:
    """``steps``: the store's clock is set during the run. Used by one thread, which ``start`` was called from."""

    def __init__(self, system: RunningSystem, incidents: Incidents, *, steps: bool = False) -> None:
        self._system = system
        self._incidents = incidents
        self._module = _STEPPING if steps else "worker.web"
        self._port = free_port()
        self.log = system.logs / "received.jsonl"
        self._receiver: subprocess.Popen[bytes] | None = None
        self._senders: list[subprocess.Popen[bytes]] = []
        self._gone: set[int] = set()

    def start(self) -> None:
        """The receiver, and two processes of which one sends at a time."""
        self.start_receiver()
        for _ in range(_SENDERS):
            self._start_sender()

    def look(self) -> None:
        """Put a new sender in the place of each dead one."""
        for number, sender in enumerate(self._senders):
            if sender.poll() is not None and sender.pid not in self._gone:
                self._gone.add(sender.pid)
                self._incidents.note(f"{SENDER_ENDED_BY_ITSELF} (exit status {sender.returncode})")
                last = self._system.log_of("web", number).splitlines()[-_LAST_LINES:]
                _log.error("web-%d ended by itself, and said last:\n%s", number, "\n".join(last))
        for _ in range(_SENDERS - len(self._living())):
            self._start_sender()

    @property
    def received_bytes(self) -> int:
        """How much the receiver has written down."""
        return self.log.stat().st_size if self.log.exists() else 0

    def has_sender(self) -> bool:
        """Whether a sender is up, or is about to send when the right of another one has ended."""
        return any(sender.poll() is None and self._system.listens(at) for at, sender in enumerate(self._senders))

    def kill_senders(self, most: int) -> None:
        """SIGKILL to at most ``most`` of them, the oldest first."""
        for sender in self._living()[:most]:
            sender.kill()
            sender.wait()
            self._gone.add(sender.pid)
            self._incidents.note("sender of notices killed (kill -9)")

    def kill_receiver(self) -> bool:
        """SIGKILL. Returns whether it was running."""
        if self._receiver is None:
            return False
        self._receiver.kill()
        self._receiver.wait()
        self._receiver = None
        self._incidents.note("receiver of notices killed (kill -9)")
        return True

    def start_receiver(self) -> None:
        """At the same address, with the same log."""
        command = [sys.executable, "-m", "simulation.chaos.notice_receiver", str(self._port), str(self.log)]
        self._receiver = start(command, cwd=_SOURCE, log=self._system.logs / "receiver.log")

    def stop(self) -> None:
        """End the receiver; the senders end with the system."""
        end(self._receiver)

    def _living(self) -> list[subprocess.Popen[bytes]]:
        return [sender for sender in self._senders if sender.poll() is None]

    def _start_sender(self) -> None:
        prefix = f"PARLEY_NOTICES__ENDPOINTS__{NAME.upper()}__"
        settings = {
            f"{prefix}URL": f"http://127.0.0.1:{self._port}{PATH}",
            f"{prefix}SECRET": SECRET,
            f"{prefix}ALLOW_PRIVATE_ADDRESSES": "true",
        }
        self._senders.append(self._system.start_web(settings, module=self._module))
