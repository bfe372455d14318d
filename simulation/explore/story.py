"""Tells the steps of a failure as a story."""

from __future__ import annotations

from collections.abc import Sequence

from simulation.explore.choices import CRASH, HAND_OVER, OUTCOMES
from simulation.explore.random_runs import Failure
from simulation.explore.world import Choice

_OF_SCRIPTS = {
    "record": "stores the answer",
    "settle": "settles: the event gets its fate",
    "hold": "holds the event for later",
    "asking": "notes that the persona is called now",
    "outcome": "counts how the opener ended",
}
_FAULTS = {
    "answer lost": " (the answer is lost, and it will be sent again)",
    "arrives twice": " (a copy may come later)",
}


def story(failure: Failure, replay: str) -> str:
    """A failure for people: its steps, what they break, and how to see it again."""
    lines = [f"{number:3}. {_told(choice)}" for number, choice in enumerate(failure.steps, 1)]
    return "\n".join([*lines, f"     BROKEN: {failure.said}", f"     again: {replay}"])


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as text, such as 0-3,7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def numbers_of(text: str) -> list[int]:
    """What ``ranges`` wrote. Raises ``ValueError`` for another text."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _told(choice: Choice) -> str:
    who = f"worker {choice.who}" if len(choice.who) == 1 else f"the {choice.who}"
    what, _, fault = choice.what.partition(", ")
    tail = _FAULTS.get(fault, "")
    match choice.who, what:
        case "clock", "next":
            return "time passes until the next moment of the agenda"
        case "clock", "set back":
            return "the store's clock is set back by 7 s"
        case "clock", _:
            return f"time passes: a {what} while"
        case "operator" | "producer" | "beat" | "network", _:
            return f"{who} {what} {choice.about}".rstrip()
        case _, "begins" | "begins again":
            return f"{who} {what} {choice.about}".rstrip() + tail
        case _, "asks" | "sends" | "asks late" | "sends late":
            verb = "asks the persona" if what.startswith("asks") else "sends the reply"
            late = ", frozen since before its lease ran out" if what.endswith("late") else ""
            outcome = f": the other side {OUTCOMES[choice.about]}" if choice.about else ""
            return f"{who} {verb}{late}{outcome}"
        case _, _ if what in (CRASH, HAND_OVER, "renews", "looks at its lease"):
            return f"{who} {what}{' its lease' if what == 'renews' else ''}"
        case _:
            return f"{who} {_OF_SCRIPTS.get(what, f'runs the script {what}')}{tail}"
