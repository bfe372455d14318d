"""What the logs say about outages of an upstream: whether gates kept calls from it, and how soon it was over for all.

Works on the call log, on the times of the outages and on the times at which gates were seen closed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from simulation.chaos.gate_watch import Closing
from simulation.judge.log import Lead, Log, Sent, just_thawed
from simulation.upstreams.call_log import Call, Service

# What a turn does between its look at the gates and its call, on a machine with other work.
_ON_ITS_WAY_SECONDS = 3.0
# Of the earlier interval, late; and the one at each end of the time that is looked at.
_TRIES_BESIDE = 2
# So many failed calls close the gate whatever happened to the processes that counted them.
_SURELY_ENOUGH = 60
_PACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Outage:
    """``service`` answered nothing right from ``began_at`` to ``ended_at``, seconds since 1970."""

    service: Service
    what: str
    began_at: float
    ended_at: float


class Outages:
    """All outages of a run, and what was seen of the gates.

    ``calls``: by arrival. ``probe_seconds``: between two tries of a closed gate. ``thawed_at``: when frozen workers
    went on, ascending.
    """

    def __init__(
        self,
        outages: Sequence[Outage] = (),
        closings: Sequence[Closing] = (),
        calls: Sequence[Call] = (),
        *,
        probe_seconds: float = 5.0,
        thawed_at: Sequence[float] = (),
    ) -> None:
        self._outages = sorted(outages, key=lambda outage: outage.ended_at)
        self._closings = closings
        self._calls = calls
        self._probe_seconds = probe_seconds
        self._thawed_at = thawed_at
        # Of each owner: from when on only tries reach an upstream that is away, and until when that is certain.
        self._shut: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for closing in closings:
            for outage in self._outages:
                if _is_about(closing.owner, outage.service):
                    start = max(closing.seen_at, outage.began_at) + _ON_ITS_WAY_SECONDS
                    end = min(closing.until, outage.ended_at)
                    if start < end:
                        self._shut[closing.owner].append((start, end))

    @property
    def seen(self) -> Sequence[Outage]:
        """The outages, in the order of their ends."""
        return self._outages

    def behind_gate(self, call: Call) -> bool:
        """Whether a call began while its upstream was away and its gate had been closed for long enough."""
        return any(start <= call.start_wall <= end for start, end in self._shut[_owner(call)]) and not just_thawed(
            call, self._thawed_at
        )

    def too_many_tries(self) -> int:
        """Calls that began behind a closed gate beyond one in each interval."""
        found = 0
        for owner, times in self._shut.items():
            for start, end in times:
                begun = self._starts[owner]
                tries = bisect_right(begun, end) - bisect_left(begun, start)
                found += max(0, tries - int((end - start) / self._probe_seconds) - _TRIES_BESIDE)
        return found

    def unnoticed(self) -> int:
        """Outages that failed many calls of one owner while its gate was never seen closed."""
        found = 0
        for outage in self._outages:
            failed: dict[str, int] = defaultdict(int)
            for call in self._calls:
                over = outage.began_at < call.start_wall and call.end_wall < outage.ended_at
                if over and call.service == outage.service:
                    failed[_owner(call)] += 1
            found += any(
                count > _SURELY_ENOUGH and not self._was_shut(owner, outage) for owner, count in failed.items()
            )
        return found

    def waits(self, sent: Sequence[Sent]) -> list[float]:
        """For each event that waited at the end of an outage: seconds until its answer, without work.

        Work is what its own lead's calls took; and what was done for all others meanwhile, at the best pace of the
        run. A lead whose call was still under way at the end waits from the end of that call on.
        """
        log, found = Log(sent, self._calls), []
        calls_of: dict[Lead | None, list[Call]] = defaultdict(list)
        for call in log.calls:
            calls_of[log.lead_of(call)].append(call)
        for number, outage in enumerate(self._outages):
            until = min((later.began_at for later in self._outages[number + 1 :]), default=float("inf"))
            for message in sent:
                answered_at = log.answered_at.get(message.words[0])
                if answered_at is None or not (message.at < outage.ended_at < answered_at):
                    continue
                found.append(self._wait(calls_of[message.lead], outage.ended_at, min(answered_at, until)))
        return found

    def _wait(self, own: Sequence[Call], ended_at: float, answered_at: float) -> float:
        begin = max([ended_at, *(call.end_wall for call in own if call.start_wall <= ended_at)])
        work = sum(call.end_wall - call.start_wall for call in own if begin < call.start_wall < answered_at)
        done = bisect_right(self._ends, answered_at) - bisect_left(self._ends, begin)
        return max(0.0, answered_at - begin - work - done * self._seconds_for_one)

    def _was_shut(self, owner: str, outage: Outage) -> bool:
        # However short: while the store is away as well, nobody can look.
        return any(
            closing.owner == owner and closing.seen_at < outage.ended_at and outage.began_at < closing.until
            for closing in self._closings
        )

    @cached_property
    def _starts(self) -> dict[str, list[float]]:
        starts: dict[str, list[float]] = defaultdict(list)
        for call in sorted(self._calls, key=lambda call: call.start_wall):
            if not just_thawed(call, self._thawed_at):
                starts[_owner(call)].append(call.start_wall)
        return starts

    @cached_property
    def _ends(self) -> list[float]:
        return sorted(call.end_wall for call in self._calls if call.acted)

    @cached_property
    def _seconds_for_one(self) -> float:
        most = max(
            (bisect_right(self._ends, at + _PACE_SECONDS) - index for index, at in enumerate(self._ends)), default=1
        )
        return _PACE_SECONDS / most


def _is_about(owner: str, service: Service) -> bool:
    return (owner == "channel") == (service == "captivate")


def _owner(call: Call) -> str:
    return "channel" if call.service == "captivate" else f"persona {call.persona}"
