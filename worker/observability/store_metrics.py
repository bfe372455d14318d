"""What the store holds, for Prometheus: measured in the background at fixed intervals, served from memory.

Only schedulers serve it (docs/decisions/0004). All of them serve the same figures, so expressions take the maximum,
never the sum.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.domain.unexpected import UnexpectedErrors
from worker.domain.vocabulary import FATES
from worker.store import StoreError
from worker.store.conversations.consents import ALL_PERSONAS
from worker.store.views.figures import GATES, Figures

_log = logging.getLogger("parley.metrics")

# Older figures say nothing about the present.
_STALE_INTERVALS = 4


class StoreFigures(Collector):
    """``measure()`` may raise ``redis.RedisError``; any other error is logged, and the next round measures again.

    ``personas``: the configured ones. ``patience_seconds``: how long a lead may wait, which alerts compare with.
    """

    def __init__(
        self,
        measure: Callable[[], Figures],
        personas: Sequence[str],
        every_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        patience_seconds: float = 60.0,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._measure = measure
        self._personas = personas
        self._every_seconds = every_seconds
        self._clock = clock
        self._last: tuple[float, Figures] | None = None
        self._answers = False
        self._stopped = threading.Event()
        self._unexpected = UnexpectedErrors(_log, "figures of the store")

    def start(self) -> None:
        """Measure from now on, in a thread of its own that ends with the process."""
        threading.Thread(target=self._run, name="parley-measures", daemon=True).start()

    def stop(self) -> None:
        """Stop measuring."""
        self._stopped.set()

    def look(self) -> None:
        """Measure once."""
        try:
            figures = self._measure()
        except StoreError as error:
            if self._answers:
                _log.warning("store not measured: store unreachable (%s)", type(error).__name__)
            self._answers = False
        except Exception as error:
            self._unexpected.note(error)
            self._answers = False
        else:
            self._answers = True
            self._last = (self._clock(), figures)

    def store_answers(self) -> bool:
        """Whether the store answered when it was last measured."""
        return self._answers

    def collect(self) -> Iterable[Metric]:
        """The last figures; only ``parley_store_up`` when they are too old."""
        fresh = self._last and self._clock() - self._last[0] < _STALE_INTERVALS * self._every_seconds
        yield _gauge("parley_store_up", "1 when the store answered.", [], [([], int(self._answers))])
        if self._last and fresh:
            yield from _totals(self._last[1], self._patience_seconds)
            yield from _by_persona(self._last[1], self._personas)
            yield from _by_endpoint(self._last[1])

    def _run(self) -> None:
        self.look()
        while not self._stopped.wait(self._every_seconds):
            self.look()


# What a store that takes no writes answers (``worker.store.redis.troubles``); all else is "other".
CODES = ("OOM", "MISCONF", "NOREPLICAS", "READONLY")

Row = tuple[list[str], float]


def _gauge(name: str, says: str, labels: list[str], rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _totals(figures: Figures, patience_seconds: float) -> Iterator[Metric]:
    memory = figures.memory
    for name, says, value in (
        ("parley_store_agenda_conversations", "Conversations that have work.", figures.agenda),
        ("parley_store_agenda_lag_seconds", "How long the first one is due.", figures.agenda_lag_seconds),
        ("parley_store_follow_ups_planned", "Follow-ups to come.", figures.follow_ups),
        ("parley_store_follow_up_late_seconds", "How long the first one is due.", figures.follow_up_lateness_seconds),
        ("parley_store_dead_letters", "Dead letters that are kept.", figures.dead_letters),
        ("parley_store_sealed_conversations", "Conversations that the persona ended.", figures.seals),
        ("parley_store_taken_over_conversations", "Conversations that a person has.", figures.taken_over),
        ("parley_store_channel_closed", "1 when the channel's gate is closed.", int(bool(figures.channel))),
        ("parley_store_unread_messages", "Messages in queues that no worker reads.", sum(figures.unread.values())),
        ("parley_store_evicts", "1 when a full store throws keys away.", int(bool(memory and memory.evicts))),
        ("parley_store_sampled", "1 when what waits is an estimate.", int(figures.sampled)),
        ("parley_store_patience_seconds", "A lead who waits longer needs a person.", patience_seconds),
        ("parley_store_measuring_seconds", "How long measuring took.", figures.measuring_seconds),
    ):
        yield _gauge(name, says, [], [([], value)])
    refused = figures.refusal and figures.refusal.code
    yield _gauge(
        "parley_store_refuses_writes",
        "1 when the store takes no writes, by what it answers.",
        ["code"],
        [([code], int(code == refused)) for code in CODES] + [(["other"], int(bool(refused) and refused not in CODES))],
    )
    used: list[Row] = [] if memory is None else [([], memory.used_bytes)]
    limit: list[Row] = [] if memory is None or not memory.limit_bytes else [([], memory.limit_bytes)]
    yield _gauge("parley_store_memory_bytes", "Memory that the store uses, its fullest server.", [], used)
    yield _gauge("parley_store_memory_limit_bytes", "Its maxmemory, when one is set.", [], limit)
    yield from _notices(figures)
    queues = [([queue], messages) for queue, messages in figures.queues.items()]
    yield _gauge("parley_store_queue_messages", "Messages that wait in the broker's queues.", ["queue"], queues)


def _notices(figures: Figures) -> Iterator[Metric]:
    found = figures.notices
    for name, says, value in (
        ("parley_store_notices", "Notices that are kept.", found.kept if found else 0),
        ("parley_store_notices_bytes", "Memory that they take.", found.bytes if found else 0),
        ("parley_store_notices_oldest_seconds", "Age of the oldest of them.", found.oldest_seconds if found else 0),
        ("parley_store_notices_dropped", "Notices dropped for age or for want of room.", found.dropped if found else 0),
    ):
        rows: list[Row] = [([], value)] if found else []
        yield _gauge(name, says, [], rows)


def _by_endpoint(figures: Figures) -> Iterator[Metric]:
    rows = sorted(figures.endpoints.items())
    for name, says, values in (
        ("sent", "Notices that the endpoint got, so far.", [each.sent for _, each in rows]),
        ("refused", "Notices that it refused for good, so far.", [each.refused for _, each in rows]),
        ("lost", "Notices dropped or erased before they were sent to it, so far.", [each.lost for _, each in rows]),
        ("failed", "Calls to it that failed, so far.", [each.failed for _, each in rows]),
        ("late_seconds", "Age of the oldest notice that it has not got.", [each.late_seconds for _, each in rows]),
        ("paused", "1 when nothing is sent to it.", [int(each.is_paused) for _, each in rows]),
    ):
        named = [([endpoint], value) for (endpoint, _), value in zip(rows, values, strict=True)]
        yield _gauge(f"parley_store_endpoint_{name}", says, ["endpoint"], named)


def _by_persona(figures: Figures, personas: Sequence[str]) -> Iterator[Metric]:
    # All configured personas, so that a series exists before its first event.
    known = sorted({*personas, *figures.gates, *figures.counters})
    counters = [(persona, figures.counters.get(persona, {})) for persona in known]
    waiting = figures.waiting.items()
    yield _gauge(
        "parley_store_events_accepted",
        "Events accepted so far.",
        ["persona"],
        [([persona], counted.get("accepted", 0)) for persona, counted in counters],
    )
    yield _gauge(
        "parley_store_events_ended",
        "Events that have their fate, so far.",
        ["persona", "fate"],
        [([persona, fate], counted.get(fate, 0)) for persona, counted in counters for fate in FATES],
    )
    yield _gauge(
        "parley_store_events_waiting",
        "Events that wait.",
        ["persona"],
        [([persona], figures.unaccounted(persona)) for persona in known],
    )
    unexplained = [(persona, figures.unexplained(persona)) for persona in known]
    yield _gauge(
        "parley_store_events_unexplained",
        "Events that neither have a fate nor wait.",
        ["persona"],
        [([persona], events) for persona, events in unexplained if events is not None],
    )
    yield _gauge(
        "parley_store_oldest_event_seconds",
        "Age of the oldest event that waits, by what it waits for.",
        ["persona", "reason"],
        [([*names], row.oldest_seconds) for names, row in waiting],
    )
    yield _gauge(
        "parley_store_conversations_waiting",
        "Conversations that wait, by what they wait for.",
        ["persona", "reason"],
        [([*names], row.conversations) for names, row in waiting],
    )
    yield _gauge(
        "parley_store_opted_out_leads",
        "Leads who opted out.",
        ["persona"],
        [([persona], figures.opted_out.get(persona, 0)) for persona in (*known, ALL_PERSONAS)],
    )
    yield _gauge(
        "parley_store_acknowledgements_owed",
        "Pulled follow-ups that FluidTalk is still to be told of.",
        ["persona"],
        [([persona], owed) for persona, owed in figures.acks_owed.items()],
    )
    yield _gauge(
        "parley_store_gate_closed",
        "1 when the gate is closed.",
        ["persona", "gate"],
        [([persona, gate], int(gate in closed)) for persona, closed in figures.gates.items() for gate in GATES],
    )
