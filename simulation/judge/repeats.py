"""What the servers' logs alone say about repeated calls; knows nothing of the system's store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulation.judge.log import Lead, Log, just_thawed, lead_asked
from simulation.judge.words import event_of, is_recognised_repeat
from simulation.upstreams.call_log import Call

# Kinds of which a Handshake call that may have been acted on is never made again (docs/architecture.md, section 4).
# Characters knows a repeated trigger by its external_event_id.
ASKED_ONCE = frozenset({"event_trigger", "follow_up"})


@dataclass(frozen=True, slots=True)
class Repeats:
    """Calls that took effect and repeated an earlier one, for each lead, and answers that are not as promised.

    ``asks``: persona calls with words that the persona had heard; ``asks_against_policy`` of them for a kind that is
    asked once. ``recognised``: calls that the Characters API knew as repetitions, and did not act on; ``other_id``:
    repeated triggers with another ``external_event_id`` than the first, which it cannot know. ``sends``:
    deliveries with words that the lead had an answer to. ``other_key``: such deliveries under another idempotency key
    than the first. ``split``: persona calls whose answer came in more than one delivery.
    ``misrouted``: deliveries on the channel of another event than the newest one that they answer.
    ``asks_after_send``: persona calls, with or without effect, for words whose answer had already been on its way to
    the lead. ``after_waking``: all repeats in the second after a frozen worker woke up, when what lay in it unsent goes
    out; ``asks_after_send`` leaves them to ``asks_after_send_after_waking``.
    """

    asks: Mapping[Lead, int]
    sends: Mapping[Lead, int]
    asks_against_policy: int
    recognised: int
    other_id: int
    other_key: int
    split: int
    misrouted: int
    asks_after_send: int
    asks_after_send_after_waking: int
    after_waking: int


def repeats(log: Log, thawed_at: Sequence[float], event_id: Callable[[int], str]) -> Repeats:
    """Find the repeats.

    ``log``: its events in the order of their numbers. ``thawed_at``: when frozen workers went on, ascending.
    ``event_id``: the id of the event with a number.
    """
    reader = _Reader(log, thawed_at, event_id)
    calls = sorted((*log.asks, *log.sends), key=lambda read: read[0].arrived)
    for call, words in calls:
        known = [word for word in words if word in log.number_of]
        if call.service == "fluidtalk":
            reader.ask(lead_asked(call), call, known)
        elif lead := log.lead_of(call):
            reader.send(lead, call, known)
    return reader.found()


class _Reader:
    """Reads one call after the other and remembers which words were heard and which were answered."""

    def __init__(self, log: Log, thawed_at: Sequence[float], event_id: Callable[[int], str]) -> None:
        self._log, self._thawed_at, self._event_id = log, thawed_at, event_id
        self._heard: set[str] = set()
        self._on_its_way: set[str] = set()
        self._first_key: dict[str, str | None] = {}
        self._groups: set[tuple[str, ...]] = set()
        self._asks: Counter[Lead] = Counter()
        self._sends: Counter[Lead] = Counter()
        self._asks_against_policy = self._asks_after_send = self._asks_after_send_after_waking = 0
        self._other_key = self._misrouted = self._after_waking = self._recognised = self._other_id = 0
        self._first_id: dict[str, object] = {}

    def ask(self, lead: Lead, call: Call, words: Sequence[str]) -> None:
        woken = just_thawed(call, self._thawed_at)
        if not self._on_its_way.isdisjoint(words):
            self._asks_after_send_after_waking += woken
            self._asks_after_send += not woken
        self._recognised += is_recognised_repeat(call)
        if external_id := call.fields.get("external_event_id"):
            self._other_id += any(self._first_id.setdefault(word, external_id) != external_id for word in words)
        if not _took_effect(call):
            return
        if not self._heard.isdisjoint(words):
            self._asks[lead] += 1
            self._after_waking += woken
            first = self._log.sent[self._log.number_of[words[0]]]
            self._asks_against_policy += first.api == "handshake" and first.kind in ASKED_ONCE
        self._heard.update(words)
        self._groups.add(tuple(words))

    def send(self, lead: Lead, call: Call, words: Sequence[str]) -> None:
        self._on_its_way.update(words)
        if not call.acted or not words:
            return
        known = {self._first_key[word] for word in words if word in self._first_key}
        if known:
            self._sends[lead] += 1
            self._after_waking += just_thawed(call, self._thawed_at)
            self._other_key += call.idempotency_key is None or known != {call.idempotency_key}
        for word in words:
            self._first_key.setdefault(word, call.idempotency_key)
        newest = self._event_id(max(self._log.number_of[word] for word in words))
        self._misrouted += event_of(call) not in (None, newest)

    def found(self) -> Repeats:
        keys = ({self._first_key[word] for word in group if word in self._first_key} for group in self._groups)
        return Repeats(
            asks=self._asks,
            sends=self._sends,
            asks_against_policy=self._asks_against_policy,
            recognised=self._recognised,
            other_id=self._other_id,
            other_key=self._other_key,
            split=sum(len(used) > 1 for used in keys),
            misrouted=self._misrouted,
            asks_after_send=self._asks_after_send,
            asks_after_send_after_waking=self._asks_after_send_after_waking,
            after_waking=self._after_waking,
        )


def _took_effect(call: Call) -> bool:
    # A probe is heard, too: a persona that says "continued" changes nothing and answers all the same.
    return call.acted or call.fault is None
