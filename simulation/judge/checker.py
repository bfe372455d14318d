"""An independent judge: reads only what the producer sent and what the simulated upstreams logged.

It knows nothing of the product's store. For events that ``words`` can tell apart it says what was lost, asked twice,
overtaken or overlapping, and what was delivered never or more than once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from simulation.judge.log import Lead, Log, Sent, lead_asked
from simulation.judge.percentile import percentile
from simulation.judge.words import bubbles_of
from simulation.upstreams.call_log import Call
from simulation.upstreams.faults import FaultKind


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the logs prove. Of a run without faults every count from ``lost`` to ``resent`` must be 0.

    Those of lost, asked twice, overtaken, undelivered and doubled count words, of which most events have one.
    ``asked_twice``: reached the persona more than once. ``overtaken``: the persona saw them after a later one of the
    same conversation. ``overlapping``: persona calls that ran while another one of the same conversation did.
    ``doubled``: bubbles that reached the lead more than once; ``resent``: deliveries that arrived again under their
    idempotency key, with ``resent_bubbles``. ``undelivered``: words whose answer never reached the lead.
    ``dropped``: deliveries that the channel took without answering. ``joined``: messages that came with another one
    in a persona call. ``overlapping_besides``: other calls that ran while another one of their conversation did.
    """

    messages: int = 0
    turns: int = 0
    bubbles: int = 0
    lost: int = 0
    asked_twice: int = 0
    overtaken: int = 0
    overlapping: int = 0
    undelivered: int = 0
    doubled: int = 0
    resent: int = 0
    seconds_to_answer: tuple[float, ...] = ()
    resent_bubbles: int = 0
    dropped: int = 0
    joined: int = 0
    overlapping_besides: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, overtaken or overlapping."""
        return not (
            self.lost or self.asked_twice or self.overtaken or self.overlapping or self.undelivered or self.doubled
        )

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the messages was answered. 0 when there was none."""
        return percentile(self.seconds_to_answer, share) if self.seconds_to_answer else 0.0


def judge(sent: Sequence[Sent], calls: Iterable[Call]) -> Verdict:
    """Compare what was sent with what the upstreams saw.

    ``sent``: in the order of acceptance. ``calls``: the call log of both upstreams, in any order.
    """
    return verdict_of(Log(sent, calls))


def verdict_of(log: Log) -> Verdict:
    """The verdict on what a log says."""
    turns = [(call, words) for call, words in log.asks if call.acted]
    sends = [(call, words) for call, words in log.sends if call.acted]
    seen: dict[Lead, list[str]] = {}
    for call, words in turns:
        seen.setdefault(lead_asked(call), []).extend(words)
    expected: dict[Lead, list[str]] = {}
    for message in log.sent:
        expected.setdefault(message.lead, []).extend(message.words)
    bubbles = Counter(word for _, words in sends for word in words)
    overlapping = sum(call.overlaps > 0 for call, _ in turns)
    resent = _resent(call for call, _ in sends)
    firsts = [(message.at, log.answered_at.get(message.words[0])) for message in log.sent]
    return Verdict(
        messages=len(log.sent),
        turns=len(turns),
        bubbles=bubbles.total(),
        lost=sum(len(set(texts) - set(seen.get(lead, ()))) for lead, texts in expected.items()),
        asked_twice=sum(len(texts) - len(set(texts)) for texts in seen.values()),
        overtaken=sum(overtaken(texts, seen.get(lead, [])) for lead, texts in expected.items()),
        overlapping=overlapping,
        undelivered=sum(not bubbles[word] for word in log.number_of),
        doubled=sum(count - 1 for count in bubbles.values()),
        resent=len(resent),
        seconds_to_answer=tuple(answered_at - at for at, answered_at in firsts if answered_at is not None),
        resent_bubbles=sum(len(bubbles_of(call)) for call in resent),
        dropped=sum(call.fault == FaultKind.ACT_THEN_DROP for call, _ in sends),
        joined=sum(str(call.fields.get("message", "")).count("\n") for call, _ in turns),
        overlapping_besides=sum(call.overlaps > 0 for call in log.calls) - overlapping,
    )


def overtaken(expected: Sequence[str], seen: Sequence[str]) -> int:
    """How many of the texts were first seen after one that is expected later."""
    place = {text: index for index, text in enumerate(expected)}
    latest, found = -1, 0
    met: set[str] = set()
    for text in seen:
        index = place.get(text, latest)
        if text not in met and index < latest:
            found += 1
        met.add(text)
        latest = max(latest, index)
    return found


def _resent(sends: Iterable[Call]) -> list[Call]:
    taken: set[str] = set()
    again: list[Call] = []
    for call in sends:
        if call.idempotency_key:
            if call.idempotency_key in taken:
                again.append(call)
            taken.add(call.idempotency_key)
    return again
