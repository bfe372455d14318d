"""How fast the crowd was answered, told from the receipts and the call log alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulation.judge.log import Log, Sent
from simulation.upstreams.call_log import Call


@dataclass(frozen=True, slots=True)
class Speed:
    """All in seconds.

    ``to_answer``: for each message, from its receipt to the delivery of its answer. ``own``: for each turn, from the
    receipt of its last message to the delivery, less what the persona took to think and less the settle time, in which
    the worker waits on purpose for a lead to finish typing. ``busy``: from the first receipt to the last delivery.
    """

    to_answer: tuple[float, ...] = ()
    own: tuple[float, ...] = ()
    busy: float = 0.0

    @property
    def turns_per_second(self) -> float:
        """Turns in each second between the first receipt and the last delivery."""
        return len(self.own) / self.busy if self.busy else 0.0

    def __add__(self, other: Speed) -> Speed:
        return Speed(self.to_answer + other.to_answer, self.own + other.own, self.busy + other.busy)


def measure(sent: Sequence[Sent], calls: Iterable[Call], settle_seconds: float) -> Speed:
    """The speed of these messages, each with a text of its own, in these calls.

    A message without an answer is left out: that it is missing is another's finding.
    """
    log = Log(sent, calls)
    answers = [(message.at, log.answered_at[message.text]) for message in sent if message.text in log.answered_at]
    own = []
    for call, words in log.asks:
        last = log.number_of.get(words[-1]) if words and call.acted else None
        if last is not None and words[-1] in log.answered_at:
            think = call.end_wall - call.start_wall
            own.append(log.answered_at[words[-1]] - sent[last].at - think - settle_seconds)
    busy = max(at for _, at in answers) - min(message.at for message in sent) if answers else 0.0
    return Speed(tuple(answered_at - at for at, answered_at in answers), tuple(own), busy)
