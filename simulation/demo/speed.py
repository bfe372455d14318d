"""How fast the crowd was answered, told from the receipts and the call log alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulation.demo.evidence import bubbles_of
from simulation.judge.checker import Sent
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
    logged = [call for call in calls if call.acted]
    accepted_at = {(message.persona, message.target, message.text): message.at for message in sent}
    delivered_at: dict[str, float] = {}
    for call in logged:
        for bubble in bubbles_of([call] if call.service == "captivate" else []):
            delivered_at.setdefault(bubble, call.end_wall)
    to_answer, own = [], []
    for call in logged:
        texts = str(call.fields.get("message", "")).split("\n")
        keys = [(call.persona or "", call.target or "", text) for text in texts]
        answers = [delivered_at.get(f"You said: {text}") for text in texts]
        for key, at in zip(keys, answers, strict=True):
            if key in accepted_at and at is not None:
                to_answer.append(at - accepted_at[key])
        if keys[-1] in accepted_at and answers[-1] is not None:
            think = call.end_wall - call.start_wall
            own.append(answers[-1] - accepted_at[keys[-1]] - think - settle_seconds)
    answered = [delivered_at[f"You said: {m.text}"] for m in sent if f"You said: {m.text}" in delivered_at]
    busy = max(answered) - min(accepted_at.values()) if answered else 0.0
    return Speed(tuple(to_answer), tuple(own), busy)


def percentile(seconds: Sequence[float], share: float) -> float:
    """Seconds within which this share of the values lies. 0 when there is none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
