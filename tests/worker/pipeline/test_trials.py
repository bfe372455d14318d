"""What follows when a suspect was to be tried alone and no result came of it."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from worker.domain.vocabulary import Cause
from worker.pipeline.trials import of_trial


@pytest.mark.parametrize(("verdict", "counts"), [("killed", True), ("no room", False), ("not tried", False)])
def test_only_a_child_that_died_counts_as_an_attempt(verdict, counts):
    head = SimpleNamespace(asks_vanished=3, sends_vanished=0, killed_alone=1)
    wait = of_trial(head, verdict, random.Random(1))
    assert (wait.cause, wait.asked, wait.unknown) == (Cause.SUSPECT, counts, counts)
