"""An independent judge: reads only what the producer sent and what the simulated upstreams logged.

It knows nothing of the product's store. For events that ``words`` can tell apart it says what was lost, asked twice,
overtaken or overlapping, and what was delivered never or more than once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulation.judge.words import asked, bubbles_of, is_ask, told
from simulation.upstreams.call_log import Call

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """One event that the producer had accepted.

    ``text``: of a chat its text, a single line used once, or nothing; of any other event its id. ``at``: seconds since
    1970 when the receipt came. ``kind``: as the producer calls it. ``image``: the name of a chat's image, used once.
    """

    persona: str
    target: str
    text: str
    at: float
    kind: str = "inbound_chat"
    image: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """By which the logs show it: the persona hears all of them, and the lead gets an answer to each."""
        return tuple(filter(None, (self.text, self.image)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the logs prove. Every count but the first three must be 0 in a run without faults.

    All but ``messages``, ``turns``, ``bubbles`` and ``overlapping`` count words, of which most events have one.
    ``asked_twice``: reached the persona more than once. ``overtaken``: the persona saw them after a later one of the
    same conversation. ``overlapping``: persona calls that ran while another one of the same conversation did.
    ``doubled``: bubbles that reached the lead more than once; ``resent`` of those under the same idempotency key.
    ``undelivered``: words whose answer never reached the lead.
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
    known = {word for message in sent for word in message.words}
    turns = [(call, words) for call in logged if is_ask(call) and call.acted and (words := asked(call, known))]
    sends = [call for call in logged if call.service == "captivate" and call.acted]
    seen: dict[Key, list[str]] = {}
    for call, words in turns:
        seen.setdefault((call.persona or "", call.target or ""), []).extend(words)
    expected: dict[Key, list[str]] = {}
    for message in sent:
        expected.setdefault((message.persona, message.target), []).extend(message.words)
    bubbles = Counter(word for call in sends for word in told(call, known))
    delivered_at: dict[str, float] = {}
    for call in sends:
        for word in told(call, known):
            delivered_at.setdefault(word, call.end_wall)
    return Verdict(
        messages=len(sent),
        turns=len(turns),
        bubbles=sum(len(bubbles_of(call)) for call in sends),
        lost=sum(len(set(texts) - set(seen.get(key, ()))) for key, texts in expected.items()),
        asked_twice=sum(len(texts) - len(set(texts)) for texts in seen.values()),
        overtaken=sum(_overtaken(texts, seen.get(key, [])) for key, texts in expected.items()),
        overlapping=sum(1 for call, _ in turns if call.overlaps),
        undelivered=sum(1 for word in known if not bubbles[word]),
        doubled=sum(count - 1 for count in bubbles.values() if count > 1),
        resent=_resent(sends),
        seconds_to_answer=tuple(
            delivered_at[message.words[0]] - message.at for message in sent if message.words[0] in delivered_at
        ),
    )


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
