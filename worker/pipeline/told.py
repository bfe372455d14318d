"""How a task went, in words for people and as a state for programs: Flower, and other readers of task events."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class State(StrEnum):
    """How a task is shown, named as the task event that says so.

    ``SUCCEEDED``: the event was answered or ended as planned. ``RETRIED``: it waits, and is tried again. ``IGNORED``:
    there was nothing to do. ``FAILED``: it became a dead letter, or was refused.
    """

    SUCCEEDED = "succeeded"
    RETRIED = "retried"
    IGNORED = "ignored"
    FAILED = "failed"


class Told(str):
    """A phrase without content, and the state of the task that it is about. ``about``: the id of the refused message,
    '' when none was refused."""

    __slots__ = ("about", "state")

    state: State
    about: str

    def __new__(cls, phrase: str, state: State = State.SUCCEEDED, about: str = "") -> Told:
        """Make one of a phrase."""
        told = super().__new__(cls, phrase)
        told.state, told.about = state, about
        return told


# What an operator has to see comes before what is well.
_FIRST = (State.FAILED, State.RETRIED, State.SUCCEEDED)


def state_of_all(phrases: Iterable[Told]) -> State:
    """The state of one task that ran several turns: only when each went well is it a success."""
    states = {told.state for told in phrases}
    return next((state for state in _FIRST if state in states), State.IGNORED)
