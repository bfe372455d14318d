"""The operators of a chaos run: each claims a conversation, says something, hands it back, and takes the next one."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from simulation.judge.log import Lead, Sent
from simulation.judge.takeovers import Line, Shift
from worker.domain.conversation import Conversation
from worker.pipeline.operator_acts import OperatorActs
from worker.store import StoreError

NAMES = ("kim", "lou", "mia")

_MOST_LINES = 3
# Longer than what is on its way at the claim needs, or there would be nothing to judge.
_LISTENS_SECONDS = (3.5, 6.0)
_TYPES_SECONDS = (0.1, 1.0)
_RESTS_SECONDS = (0.0, 1.0)
_PAUSE_SECONDS = 0.1
# Out of the leads that were heard of last, who most likely wait.
_OF_THE_NEWEST = 50
_LONGEST_SECONDS = 120.0

Answer = TypeVar("Answer")
Acting = Callable[[str, str], OperatorActs]


class Operators:
    """Each works in a thread of its own. ``acts``: what an operator with this name does in an act with that name; an
    act that got no answer is done again under its name. ``sent``: the producer's log, which grows meanwhile."""

    def __init__(self, acts: Acting, sent: Sequence[Sent], seed: int) -> None:
        self._acts = acts
        self._sent = sent
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._taken: set[Lead] = set()
        self._shifts: list[Shift] = []
        self._numbers = itertools.count()
        self._failure: Exception | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(name, random.Random(f"{name} {seed}")), name=name, daemon=True)
            for name in NAMES
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Shift]:
        """Hand back what is claimed and claim nothing more. The store has to answer by now. Raises what went wrong."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        if self._failure:
            raise self._failure
        return self._shifts

    def _work(self, name: str, dice: random.Random) -> None:
        try:
            while not self._stopped.wait(dice.uniform(*_RESTS_SECONDS)):
                lead = self._choose(dice)
                if lead:
                    self._carry_out(name, lead, dice)
                    with self._lock:
                        self._taken.discard(lead)
        except Exception as error:
            self._failure = error

    def _choose(self, dice: random.Random) -> Lead | None:
        with self._lock:
            newest = sorted({message.lead for message in self._sent[-_OF_THE_NEWEST:]} - self._taken)
            lead = dice.choice(newest) if newest else None
            if lead:
                self._taken.add(lead)
            return lead

    def _carry_out(self, name: str, lead: Lead, dice: random.Random) -> None:
        conversation = Conversation(*lead)
        if self._surely(name, lambda acts: acts.claim(conversation)).status != "claimed":
            return
        claimed_at, lines, refused = time.time(), [], 0
        listens_until = time.monotonic() + dice.uniform(*_LISTENS_SECONDS)
        for _ in range(dice.randint(1, _MOST_LINES)):
            self._stopped.wait(dice.uniform(*_TYPES_SECONDS))
            text, at = f"line {next(self._numbers)} of {name}", time.time()
            said = self._surely(name, lambda acts, text=text: acts.say(conversation, text))  # type: ignore[misc]
            if said.status in ("accepted", "duplicate"):
                lines.append(Line(text, said.event_id, at))
            refused += said.status == "not_yours"
        self._stopped.wait(max(0.0, listens_until - time.monotonic()))
        handed_back_at = time.time()
        done = self._surely(name, lambda acts: acts.hand_back(conversation, "joined"))
        refused += done.status != "handed_back"
        with self._lock:
            self._shifts.append(Shift(lead, claimed_at, handed_back_at, tuple(lines), refused))

    def _surely(self, name: str, act: Callable[[OperatorActs], Answer]) -> Answer:
        acts = self._acts(name, f"{random.getrandbits(128):032x}")
        until = time.monotonic() + _LONGEST_SECONDS
        while True:
            try:
                return act(acts)
            except StoreError:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_SECONDS)
