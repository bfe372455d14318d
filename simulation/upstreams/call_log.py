"""What the doubles were asked and what they did: one record for each call, counts, and an optional file.

The log is the witness for everything that is claimed about the product: order, overlaps, repeated calls, lost calls.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol

Service = Literal["fluidtalk", "captivate"]
SERVICES: tuple[Service, ...] = ("fluidtalk", "captivate")


class Line(Protocol):
    """The connection a call came in on."""

    def is_closing(self) -> bool:
        """Whether the client has gone or the double has closed it."""
        ...


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of a client, from its last byte in to the first byte out.

    ``arrived`` numbers the calls of both services in the order in which they were received, which is the order in which
    they changed state. ``seq`` numbers them in the order in which they ended, and is what ``since`` counts in.
    ``turn`` is the number of the persona's turn in its conversation, if the call made one. ``overlaps`` counts the
    calls of the same conversation that were under way, their client still connected, when this one arrived. ``acted``
    says whether anything was changed. ``status`` is None when no status line was sent; ``client_gone`` when that was
    because the client had left. ``fault`` is the kind of the fault rule applied. Times are in seconds, ``wall`` since
    1970, ``monotonic`` as the machine counts.
    """

    service: Service
    method: str
    path: str
    persona: str | None = None
    target: str | None = None
    session_id: str | None = None
    action: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    arrived: int = 0
    seq: int = 0
    turn: int | None = None
    overlaps: int = 0
    acted: bool = False
    status: int | None = None
    client_gone: bool = False
    fault: str | None = None
    start_wall: float = 0.0
    start_monotonic: float = 0.0
    end_wall: float = 0.0
    end_monotonic: float = 0.0

    @property
    def conversation(self) -> tuple[str, str | None, str] | None:
        """What two calls must share to overlap; None for calls that belong to no conversation."""
        lead = self.target if self.service == "fluidtalk" else self.session_id
        return None if lead is None else (self.service, self.persona, lead)

    def to_json(self) -> str:
        """The call as one line of JSON."""
        return json.dumps({name: getattr(self, name) for name in _CALL_FIELDS}, separators=(",", ":"))


_CALL_FIELDS = tuple(item.name for item in fields(Call))


@dataclass(slots=True)
class ServiceSummary:
    """Counts of one service since the start or the last reset.

    ``calls`` and what follows count ended calls; ``by_status`` has the key "none" for calls left without an answer.
    ``in_flight`` counts calls not ended, also those whose client has gone.
    """

    in_flight: int = 0
    max_in_flight: int = 0
    calls: int = 0
    acted: int = 0
    client_gone: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    by_fault: dict[str, int] = field(default_factory=dict)


class CallLog:
    """All calls since the start or the last reset, in memory, and appended to ``file`` as JSON lines if given.

    The file gets a call when it ends, in one write straight to the operating system, before its answer is sent: whoever
    has an answer finds the call in the file, even if this process is killed then. Calls under way at a kill are not in
    it; nobody got an answer to them and what they changed is gone with the process.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if file else None
        self._ended: list[Call] = []
        self._seq = 0
        self._arrived = 0
        self._first_kept_arrival = 1
        self._under_way: dict[tuple[str, str | None, str], list[tuple[Call, Line]]] = {}
        self.summary: dict[Service, ServiceSummary] = {service: ServiceSummary() for service in SERVICES}

    def begin(self, call: Call, line: Line) -> None:
        """Number and time a call that was received on ``line``."""
        self._arrived += 1
        call.arrived = self._arrived
        call.start_wall = time.time()
        call.start_monotonic = time.monotonic()
        conversation = call.conversation
        if conversation is not None:
            others = self._under_way.setdefault(conversation, [])
            call.overlaps = sum(not other_line.is_closing() for _, other_line in others)
            others.append((call, line))
        summary = self.summary[call.service]
        summary.in_flight += 1
        summary.max_in_flight = max(summary.max_in_flight, summary.in_flight)

    def end(self, call: Call) -> None:
        """Close the record of a call whose outcome is known. Counts once, however often it is called."""
        if call.end_wall:
            return
        call.end_wall = time.time()
        call.end_monotonic = time.monotonic()
        self._forget(call)
        summary = self.summary[call.service]
        summary.in_flight -= 1
        if call.arrived < self._first_kept_arrival:
            return
        self._seq += 1
        call.seq = self._seq
        self._ended.append(call)
        _count(summary, call)
        if self._file is not None:
            os.write(self._file, call.to_json().encode() + b"\n")

    def since(self, seq: int, limit: int) -> list[Call]:
        """At most ``limit`` ended calls with a larger ``seq``, in order of ``seq``."""
        first = self._seq - len(self._ended) + 1
        start = max(0, seq + 1 - first)
        return self._ended[start : start + limit]

    def reset(self) -> None:
        """Forget all calls, those under way included. No ``seq`` or ``arrived`` is used twice."""
        self._ended = []
        self._first_kept_arrival = self._arrived + 1
        for service, old in self.summary.items():
            self.summary[service] = ServiceSummary(in_flight=old.in_flight, max_in_flight=old.in_flight)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _forget(self, call: Call) -> None:
        conversation = call.conversation
        if conversation is None:
            return
        others = [entry for entry in self._under_way[conversation] if entry[0] is not call]
        if others:
            self._under_way[conversation] = others
        else:
            del self._under_way[conversation]


def _count(summary: ServiceSummary, call: Call) -> None:
    summary.calls += 1
    summary.acted += call.acted
    summary.client_gone += call.client_gone
    status = "none" if call.status is None else str(call.status)
    summary.by_status[status] = summary.by_status.get(status, 0) + 1
    if call.fault is not None:
        summary.by_fault[call.fault] = summary.by_fault.get(call.fault, 0) + 1
