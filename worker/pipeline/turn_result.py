"""The result of a turn: codes for metrics and logs, and the phrase that Flower shows."""

from __future__ import annotations

from typing import Literal, NamedTuple

from worker.domain.moments import as_datetime
from worker.domain.sentences import of_stored, sentence
from worker.domain.vocabulary import Cause, Fate, Gate
from worker.pipeline.told import State, Told
from worker.store.conversations.turn_steps import NotNow


class TurnResult(NamedTuple):
    """``outcome``: the fate of its events; ``held``: they are tried again; ``kept``: their reply is stored and waits;
    ``left``: another turn continues with them. ``seconds``: of a hold. ``joined``: events that were asked with the
    head.
    """

    outcome: Fate | Literal["held", "kept", "left"]
    cause: Cause | None = None
    detail: str = ""
    seconds: float = 0.0
    joined: int = 0

    @property
    def codes(self) -> dict[str, str]:
        """Its cause and the detail, as fields of a log; empty without a cause."""
        if self.cause is None:
            return {}
        return {"cause": self.cause.value} | ({"detail": self.detail} if self.detail else {})

    @property
    def state(self) -> State:
        """How Flower shows it."""
        match self.outcome:
            case "dead":
                return State.FAILED
            case "held" | "kept" | "left":
                return State.RETRIED
        return State.SUCCEEDED

    @property
    def phrase(self) -> str:
        """One phrase without content."""
        joined = f", joined {self.joined}" if self.joined else ""
        if self.cause is None:
            return self.outcome + joined
        why = sentence(self.cause, self.detail)
        match self.outcome:
            case "left":
                return why
            case "held":
                return f"held for {self.seconds:.1f} s: {why}"
            case "kept" if self.cause is Cause.TAKEN_OVER:
                return "kept: a person has taken over, the reply waits until hand-back"
        return f"{self.outcome}: {why}{joined}"


LEFT = TurnResult("left", Cause.LEASE_LOST)


# The name of a gate takes the place of the cause, which the gate itself keeps.
_GATES = {
    Gate.CIRCUIT.value: "FluidTalk does not answer for the persona",
    Gate.CREDITS.value: f"{sentence(Cause.CREDITS_OUT)}, or paused at FluidTalk",
    Gate.CHANNEL.value: sentence(Cause.CHANNEL_CLOSED),
}


def not_now(answer: NotNow) -> Told:
    """Why a turn did not begin, as one phrase."""
    if not answer.until:
        return Told("nothing to do", State.IGNORED)
    until = as_datetime(answer.until).strftime("%H:%M:%S")
    reason = _GATES.get(answer.reason) or of_stored(answer.reason)
    why = f": {reason}" if reason else ""
    return Told(f"{answer.status.replace('_', ' ')} until {until} UTC{why}", State.RETRIED)
