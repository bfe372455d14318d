"""The ledger of a chaos run: what was lost, doubled, overtaken, and whether the system had said so itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.simulation.call_log import Call
from worker.simulation.chaos.evidence import ANSWER, bubbles_of, repeats, seconds_to_recover, seconds_to_resume
from worker.simulation.chaos.incidents import Incidents
from worker.simulation.chaos.subjects import Subject
from worker.simulation.checker import Sent, Verdict, judge

_DEATHS = ("worker killed (kill -9)", "worker killed at a step")
_ENDS = ("thawed", "Redis back")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The figures of one run.

    ``lost``: accepted, no answer reached the lead, and the system does not name it as given up. ``given_up``: causes
    of those that it does name, with their number. ``second_asks``, ``doubled_sends``: calls that took effect again;
    the ``unlisted`` ones of them do not stand in the system's own timeline. ``after_waking``: see ``evidence.Repeats``.
    ``unexplained``: what the system's books lack. ``waiting``: not finished at the end.
    """

    verdict: Verdict
    lost: int
    given_up: Mapping[str, int]
    second_asks: int
    unlisted_asks: int
    asks_after_send: int
    asks_after_send_after_waking: int
    doubled_sends: int
    unlisted_sends: int
    sends_under_other_key: int
    after_waking: int
    unexplained: int
    waiting: int
    recovery_seconds: tuple[float, ...]
    resume_seconds: tuple[float, ...]
    incidents: Mapping[str, int]
    seconds: float

    @property
    def broken(self) -> list[str]:
        """The promises that did not hold, each with its figure. Empty when all hold."""
        promises = {
            "lost": self.lost,
            "overtaken": self.verdict.overtaken,
            "overlapping": self.verdict.overlapping,
            "second asks that the timeline does not list": self.unlisted_asks,
            "second asks after a delivery was tried": self.asks_after_send,
            "doubled sends that the timeline does not list": self.unlisted_sends,
            "doubled sends under another idempotency key": self.sends_under_other_key,
            "unexplained in the books": self.unexplained,
            "still waiting at the end": self.waiting,
        }
        return [f"{count} {what}" for what, count in promises.items() if count]


def draw_up(
    sent: Sequence[Sent], calls: Sequence[Call], incidents: Incidents, subject: Subject, seconds: float
) -> Ledger:
    """Compare the producer's log with the servers' logs, and both with what the system says of itself.

    ``sent``: all messages in the order of their numbers. ``calls``: by arrival. Raises ``redis.RedisError``.
    """
    given_up = subject.given_up()
    delivered = {bubble for call in calls if call.service == "captivate" and call.acted for bubble in bubbles_of(call)}
    unanswered = [number for number, message in enumerate(sent) if ANSWER + message.text not in delivered]
    found = repeats(calls, [incident.at for incident in incidents.of("thawed")])
    words = {lead: Counter(subject.words(*lead)) for lead in {*found.asks, *found.sends}}
    deaths = [incident.at for incident in incidents.of(*_DEATHS)]
    return Ledger(
        verdict=judge(sent, calls),
        lost=sum(1 for number in unanswered if number not in given_up),
        given_up=Counter(given_up[number] for number in unanswered if number in given_up),
        second_asks=sum(found.asks.values()),
        unlisted_asks=sum(max(0, count - words[lead]["second ask"]) for lead, count in found.asks.items()),
        asks_after_send=found.asks_after_send,
        asks_after_send_after_waking=found.asks_after_send_after_waking,
        doubled_sends=sum(found.sends.values()),
        unlisted_sends=sum(max(0, count - words[lead]["resent"]) for lead, count in found.sends.items()),
        sends_under_other_key=found.other_key,
        after_waking=found.after_waking,
        unexplained=subject.unexplained(),
        waiting=subject.waiting() or 0,
        recovery_seconds=tuple(seconds_to_recover(calls, deaths)),
        resume_seconds=tuple(seconds_to_resume(calls, [incident.at for incident in incidents.of("Redis back")])),
        incidents={kind: count for kind, count in incidents.counts().items() if kind not in _ENDS},
        seconds=seconds,
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that this share of the values does not exceed; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
