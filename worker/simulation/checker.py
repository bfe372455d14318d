"""An independent judge: reads only what the producer sent and what the simulated upstreams logged.

It knows nothing of the product's store. For inbound chats whose texts are single lines, each used once, it says what
was lost, asked twice, overtaken or overlapping, and what was delivered never or more than once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worker.simulation.call_log import Call

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that the producer had accepted. ``at``: seconds since 1970 when the receipt came."""

    persona: str
    target: str
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the logs prove. Every count but the first three must be 0 in a run without faults.

    ``asked_twice``: messages that reached the persona more than once. ``overtaken``: messages that the persona saw
    after a later one of the same conversation. ``overlapping``: persona calls that ran while another one of the same
    conversation did. ``doubled``: bubbles that reached the lead more than once; ``resent`` of those under the same
    idempotency key. ``undelivered``: messages whose answer never reached the lead.
    """

    messages: int
    turns: int
    bubbles: int
    lost: int
    asked_twice: int
    overtaken: int
    overlapping: int
    undelivered: int
    doubled: int
    resent: int
    seconds_to_answer: tuple[float, ...]

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, overtaken or overlapping."""
        return not (
            self.lost or self.asked_twice or self.overtaken or self.overlapping or self.undelivered or self.doubled
        )

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the messages was answered. 0 when there was none."""
        ordered = sorted(self.seconds_to_answer)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def judge(sent: Sequence[Sent], calls: Iterable[Call]) -> Verdict:
    """Compare what was sent with what the upstreams saw.

    ``sent``: in the order of acceptance. ``calls``: the call log of both upstreams, in any order.
    """
    logged = sorted(calls, key=lambda call: call.arrived)
    chats = [call for call in logged if call.path.endswith("/bot/chat") and call.acted]
    sends = [call for call in logged if call.service == "captivate" and call.acted]
    seen: dict[Key, list[str]] = {}
    for call in chats:
        seen.setdefault((call.persona or "", call.target or ""), []).extend(call.fields.get("message", "").split("\n"))
    expected: dict[Key, list[str]] = {}
    for message in sent:
        expected.setdefault((message.persona, message.target), []).append(message.text)
    bubbles = Counter(bubble for call in sends for bubble in _texts(call))
    delivered_at: dict[str, float] = {}
    for call in sends:
        for bubble in _texts(call):
            delivered_at.setdefault(bubble, call.end_wall)
    answers = [f"You said: {message.text}" for message in sent]
    return Verdict(
        messages=len(sent),
        turns=len(chats),
        bubbles=sum(bubbles.values()),
        lost=sum(len(set(texts) - set(seen.get(key, ()))) for key, texts in expected.items()),
        asked_twice=sum(len(texts) - len(set(texts)) for texts in seen.values()),
        overtaken=sum(_overtaken(texts, seen.get(key, [])) for key, texts in expected.items()),
        overlapping=sum(1 for call in chats if call.overlaps),
        undelivered=sum(1 for answer in answers if not bubbles[answer]),
        doubled=sum(count - 1 for count in bubbles.values() if count > 1),
        resent=_resent(sends),
        seconds_to_answer=tuple(
            delivered_at[answer] - message.at
            for message, answer in zip(sent, answers, strict=True)
            if answer in delivered_at
        ),
    )


def _texts(call: Call) -> list[str]:
    return [message["text"] for message in call.fields.get("response", ()) if message.get("type") == "text"]


def _overtaken(expected: Sequence[str], seen: Sequence[str]) -> int:
    place = {text: index for index, text in enumerate(expected)}
    latest, overtaken = -1, 0
    met: set[str] = set()
    for text in seen:
        index = place.get(text, latest)
        if text not in met and index < latest:
            overtaken += 1
        met.add(text)
        latest = max(latest, index)
    return overtaken


def _resent(sends: Iterable[Call]) -> int:
    keys = Counter(call.idempotency_key for call in sends if call.idempotency_key)
    return sum(count - 1 for count in keys.values())
