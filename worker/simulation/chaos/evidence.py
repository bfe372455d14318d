"""What the servers' logs alone say about repeated calls and about the time that recovery took.

Works on the call log and on the times at which something was done to the system; knows nothing of the system's store.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.simulation.call_log import Call
from worker.simulation.chaos.feed import session_of

Lead = tuple[str, str]

ANSWER = "You said: "


def read_calls(file: Path) -> list[Call]:
    """The call log, in the order in which the calls arrived. A last line that was cut by a kill is left out."""
    calls = []
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            calls.append(Call(**json.loads(line)))
    return sorted(calls, key=lambda call: call.arrived)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Calls that took effect and repeated an earlier one, for each lead.

    ``asks``: persona calls with words that the persona had heard. ``sends``: deliveries with bubbles that the lead had.
    ``other_key``: such deliveries under another idempotency key than the first. ``asks_after_send``: persona calls for
    words whose answer had already been on its way to the lead. ``after_waking``: all repeats in the second after a
    frozen worker woke up, when what lay in it unsent goes out; ``asks_after_send`` leaves them to
    ``asks_after_send_after_waking``.
    """

    asks: Mapping[Lead, int]
    sends: Mapping[Lead, int]
    other_key: int
    asks_after_send: int
    asks_after_send_after_waking: int
    after_waking: int


def repeats(calls: Sequence[Call], thawed_at: Sequence[float]) -> Repeats:
    """Find the repeats. ``calls``: by arrival. ``thawed_at``: when frozen workers went on, ascending."""
    lead_of = _leads(calls)
    heard: set[tuple[Lead, str]] = set()
    on_its_way: set[tuple[Lead, str]] = set()
    first_key: dict[tuple[Lead, str], str | None] = {}
    asks: Counter[Lead] = Counter()
    sends: Counter[Lead] = Counter()
    other_key = asks_after_send = asks_after_send_after_waking = after_waking = 0
    for call in calls:
        if is_ask(call):
            lead = (call.persona or "", call.target or "")
            words = [(lead, text) for text in call.fields.get("message", "").split("\n")]
            if call.acted and not heard.isdisjoint(words):
                asks[lead] += 1
                woken = _just_thawed(call, thawed_at)
                after_waking += woken
                if not on_its_way.isdisjoint(words):
                    asks_after_send_after_waking += woken
                    asks_after_send += not woken
            if call.acted:
                heard.update(words)
        elif call.service == "captivate" and call.session_id in lead_of:
            lead = lead_of[call.session_id]
            bubbles = [(lead, text.removeprefix(ANSWER)) for text in bubbles_of(call)]
            on_its_way.update(bubbles)
            if call.acted and bubbles:
                known = [first_key[bubble] for bubble in bubbles if bubble in first_key]
                if known:
                    sends[lead] += 1
                    after_waking += _just_thawed(call, thawed_at)
                    other_key += call.idempotency_key is None or {*known} != {call.idempotency_key}
                for bubble in bubbles:
                    first_key.setdefault(bubble, call.idempotency_key)
    return Repeats(asks, sends, other_key, asks_after_send, asks_after_send_after_waking, after_waking)


def seconds_to_recover(calls: Sequence[Call], deaths_at: Iterable[float]) -> list[float]:
    """For each conversation that a dead worker held: seconds from the death to its next call that took effect.

    Held means that a call was under way at the death and the server found its client gone.
    """
    lead_of = _leads(calls)
    starts: dict[Lead, list[float]] = defaultdict(list)
    cut_off: list[tuple[Call, Lead]] = []
    for call in calls:
        lead = (call.persona or "", call.target or "") if is_ask(call) else lead_of.get(call.session_id or "")
        if lead is None:
            continue
        if call.acted:
            starts[lead].append(call.start_wall)
        if call.client_gone and call.fault is None:
            cut_off.append((call, lead))
    found = []
    for death in deaths_at:
        for lead in {lead for call, lead in cut_off if call.start_wall < death <= call.end_wall}:
            index = bisect_right(starts[lead], death)
            if index < len(starts[lead]):
                found.append(starts[lead][index] - death)
    return found


def seconds_to_resume(calls: Sequence[Call], back_at: Iterable[float]) -> list[float]:
    """For each time at which Redis came back: seconds to the next call that arrived and took effect."""
    starts = sorted(call.start_wall for call in calls if call.acted)
    found = []
    for back in back_at:
        index = bisect_right(starts, back)
        if index < len(starts):
            found.append(starts[index] - back)
    return found


def is_ask(call: Call) -> bool:
    """Whether it is a lead's message to a persona."""
    return call.service == "fluidtalk" and call.path.endswith("/bot/chat")


def bubbles_of(call: Call) -> list[str]:
    """The texts of a delivery."""
    return [message["text"] for message in call.fields.get("response", ()) if message.get("type") == "text"]


def _leads(calls: Iterable[Call]) -> dict[str, Lead]:
    leads = {(call.persona or "", call.target or "") for call in calls if is_ask(call)}
    return {session_of(*lead): lead for lead in leads}


# A request that lay in a frozen process reaches the server at once when the process goes on.
_WAKING_SECONDS = 1.0


def _just_thawed(call: Call, thawed_at: Sequence[float]) -> bool:
    index = bisect_right(thawed_at, call.start_wall)
    return index > 0 and call.start_wall - thawed_at[index - 1] < _WAKING_SECONDS
