"""What this process did, counted for Prometheus. docs/metrics.md names every metric; a test compares the two.

Labels are bounded: configured personas, kinds of event, closed sets. Never a target, never free text. With
PROMETHEUS_MULTIPROC_DIR set, prometheus-client keeps the values in files there, and ``worker_registry`` adds up all
processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from worker.domain.vocabulary import FATES, Cause

StoreStep = Literal["begin", "record", "settle", "hold"]

OUTCOMES = (*FATES, "held", "left")
OTHER = "other"

# Causes that share a label; each of the others is one.
_TOGETHER = {
    Cause.IMAGE_NOT_HOSTED: "image",
    Cause.IMAGE_NOT_FETCHED: "image",
    Cause.IMAGE_MISSING: "image",
    Cause.IN_LINE: Cause.OWN_LIMIT.value,
    Cause.POISON_ASKING: "poison",
    Cause.POISON_DELIVERING: "poison",
    Cause.POISON_ERROR: "poison",
}

_WORKER, _BEAT, _WEB = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()

# A persona takes 0.3 to 75 s.
_CALL_SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 75, 100)
# How long a lead waits: a quiet moment and the persona; during outages hours of holds.
_ANSWER_SECONDS = (1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 900, 3600, 21600)
_STORE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 20, 60)


def _counter(name: str, says: str, *labels: str) -> Counter:
    return Counter(name, says, labels, registry=_WORKER)


def _histogram(name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, says, labels, buckets=buckets, registry=_WORKER)


def _gauge(name: str, says: str) -> Gauge:
    return Gauge(name, says, registry=_WORKER, multiprocess_mode="livesum")


_doorbells = _counter("parley_doorbells_total", "Doorbells taken, by what they found.", "found")
_turns = _counter("parley_turns_total", "Turns that ended.", "persona", "kind", "outcome")
_turn_seconds = _histogram("parley_turn_seconds", "One turn, from begin to end.", _CALL_SECONDS, "persona")
_answer_seconds = _histogram(
    "parley_answer_seconds", "From the acceptance of an event to its answer.", _ANSWER_SECONDS, "persona"
)
_ask_seconds = _histogram("parley_ask_seconds", "Asking a persona, its image included.", _CALL_SECONDS, "persona")
_deliver_seconds = _histogram("parley_deliver_seconds", "One delivery to the channel.", _CALL_SECONDS)
_store_seconds = _histogram("parley_store_seconds", "One step of a turn in the store.", _STORE_SECONDS, "step")
_holds = _counter("parley_holds_total", "Turns that ended with a hold.", "persona", "cause")
_unknown = _counter("parley_unknown_outcomes_total", "Calls that may have been acted on.", "persona", "operation")
_dead = _counter("parley_dead_letters_total", "Events that became dead letters.", "persona", "cause")
_skipped = _counter("parley_skipped_total", "Events that ended as skipped.", "persona", "cause")
_zones = _counter("parley_lead_zones_unreadable_total", "Events of leads whose zone could not be read.", "persona")
_http = _counter("parley_http_calls_total", "HTTP calls, by how they ended.", "upstream", "answer")
_drift = _counter("parley_contract_unknown_total", "What answers had beyond the contract of their API.", "what", "name")
_sent = Counter("parley_beat_sent_total", "Tasks that this scheduler has sent.", ["task"], registry=_BEAT)
_answers = Counter("parley_ingress_answers_total", "Requests answered.", ["source", "status"], registry=_WEB)
_ingress_seconds = Histogram(
    "parley_ingress_seconds", "One request, from its head to its answer.", buckets=_STORE_SECONDS, registry=_WEB
)
# A turn counts a dozen times: the child of each combination of labels is looked up once.
_doorbells_of, _turns_of, _http_of = map(cache, (_doorbells.labels, _turns.labels, _http.labels))
_answers_of = cache(_answers.labels)
_turn_seconds_of, _answer_seconds_of = cache(_turn_seconds.labels), cache(_answer_seconds.labels)
_ask_seconds_of, _store_seconds_of = cache(_ask_seconds.labels), cache(_store_seconds.labels)
_running = _gauge("parley_turns_running", "Turns that run.")
_slots = _gauge("parley_turn_slots", "Turns that can run at once.")


class Timed:
    """A context whose seconds are observed. The library's own has twice as many calls, and a turn has five of them."""

    __slots__ = ("_seconds", "_started_at")

    def __init__(self, seconds: Histogram) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._started_at = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds.observe(time.perf_counter() - self._started_at)


class Turn:
    """A running turn, as a context: counts and times it. ``waited_seconds``: how long its head had waited when it
    began. ``ended`` notes its outcome; without that it counts as ``other``: it ended by an exception."""

    __slots__ = ("_kind", "_persona", "_started_at", "_waited_seconds", "outcome")

    def __init__(self, persona: str, kind: str, waited_seconds: float) -> None:
        self._persona = persona
        self._kind = kind
        self._waited_seconds = waited_seconds
        self.outcome = OTHER

    def ended(self, outcome: str) -> None:
        """``outcome``: a fate, ``held`` or ``left``; any other is counted as ``other``."""
        self.outcome = outcome if outcome in OUTCOMES else OTHER

    def __enter__(self) -> Turn:
        self._started_at = time.perf_counter()
        _running.inc()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._started_at
        _running.dec()
        _turns_of(self._persona, self._kind, self.outcome).inc()
        _turn_seconds_of(self._persona).observe(seconds)
        if self.outcome == "answered":
            _answer_seconds_of(self._persona).observe(self._waited_seconds + seconds)


def asking(persona: str) -> Timed:
    """Times the asking half of a turn, as a context."""
    return Timed(_ask_seconds_of(persona))


def delivering() -> Timed:
    """Times one delivery, as a context."""
    return Timed(_deliver_seconds)


def storing(step: StoreStep) -> Timed:
    """Times one step in the store, waiting for the store included, as a context."""
    return Timed(_store_seconds_of(step))


def doorbell(found: str) -> None:
    """A doorbell was taken. ``found``: ``granted``, or the status that ``begin`` returned."""
    _doorbells_of(found).inc()


def held(persona: str, cause: Cause) -> None:
    """A turn ended with a hold."""
    _holds.labels(persona, _label(cause)).inc()


def died(persona: str, cause: Cause, events: int = 1) -> None:
    """Events became dead letters; ``events``: how many."""
    _dead.labels(persona, _label(cause)).inc(events)


def skipped(persona: str, cause: Cause, events: int = 1) -> None:
    """Events ended as skipped; ``events``: how many."""
    _skipped.labels(persona, _label(cause)).inc(events)


def refused() -> None:
    """An event was refused and became a dead letter. Its persona can be any text, so it is no label."""
    _dead.labels(OTHER, Cause.REFUSED_AT_THE_DOOR.value).inc()


def unknown(persona: str, operation: str) -> None:
    """A call may have been acted on. ``operation``: the kind of the event, ``image`` or ``delivery``."""
    _unknown.labels(persona, operation).inc()


def zone_unreadable(persona: str) -> None:
    """An event has ended whose channel names a time zone that cannot be read."""
    _zones.labels(persona).inc()


def http_call(upstream: str, answer: str) -> None:
    """An HTTP call ended. ``answer``: class of the status such as ``2xx``, ``not_sent`` or ``unanswered``."""
    _http_of(upstream, answer).inc()


def unknown_to_contract(what: str, name: str) -> None:
    """An answer had what the contract of its API does not know. ``what``: field, status or reason; ``name``: of a
    bounded number of names, without content."""
    _drift.labels(what, name).inc()


def slots(turns: int) -> None:
    """Note how many turns this worker can run at once."""
    _slots.set(turns)


def beat_sent(task: str) -> None:
    """Beat has sent a task."""
    _sent.labels(task).inc()


def web_answer(source: str, status: int, seconds: float) -> None:
    """A request was answered. ``source``: a configured one, or ``none`` when it was not known."""
    _answers_of(source, str(status)).inc()
    _ingress_seconds.observe(seconds)


class _ForkedProcesses(MultiProcessCollector):
    """The figures of all forked processes, also while one of them has just created its file."""

    def collect(self) -> Iterable[Metric]:
        """Empty files are left out, because the library fails on them, and with it the whole answer."""
        begun = [file for file in Path(self._path).glob("*.db") if file.stat().st_size]
        merged: Iterable[Metric] = self.merge(map(str, begun), accumulate=True)  # type: ignore[no-untyped-call]
        return merged


def worker_registry() -> CollectorRegistry:
    """What the endpoint of a worker serves: what its process, or all its forked processes, did."""
    served = CollectorRegistry()
    try:
        _ForkedProcesses(served)  # type: ignore[no-untyped-call]
    except ValueError:
        # The variable is not set: one process, which has all its figures in memory.
        return _served(_WORKER)
    return served


def beat_registry(store: Collector) -> CollectorRegistry:
    """What the endpoint of a scheduler serves: what it sent, and what the store holds."""
    served = _served(_BEAT)
    served.register(store)
    return served


def web_registry() -> CollectorRegistry:
    """What the endpoint of a web process serves: what it answered."""
    return _served(_WEB)


def process_ended(pid: int) -> None:
    """A forked process has ended: its running turns count no more."""
    try:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
    except TypeError:
        return


def _label(cause: Cause) -> str:
    return _TOGETHER.get(cause, cause.value)


def _served(own: Collector) -> CollectorRegistry:
    served = CollectorRegistry()
    served.register(own)
    ProcessCollector(registry=served)
    return served
