"""A lead's STOP against outreach, a thousand times in each scope (100 000: benchmarks.consent_races)."""

from __future__ import annotations

import pytest

from benchmarks.consent_races import settings_for
from simulation.consent_races import Races
from simulation.servers.embedded_redis import EmbeddedRedis
from worker.pipeline.consent import Consents
from worker.store.conversations.turn_steps import TurnSteps


@pytest.fixture
def make_races():
    """Races on a server of their own, which they empty."""
    with EmbeddedRedis() as server:
        made = []

        def make(scope, seed):
            made.append(Races(settings_for(server.url, scope), seed, told="bea" if scope == "lead" else "ava"))
            return made[-1]

        yield make
        for races in made:
            races.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("scope", "seed"), [("persona", 20261129), ("lead", 3)])
def test_nothing_is_asked_or_sent_after_an_accepted_stop(make_races, scope, seed):
    races = make_races(scope, seed)
    verdict = races.run(600)
    for _ in range(4):
        # Few races end while the answer is in hand: about 4 of 600, by chance none.
        if not verdict.in_hand:
            verdict += races.run(600)
    assert verdict.clean, verdict
    assert min(verdict.not_asked, verdict.between, verdict.sent_first) > 10, f"no race: {verdict}"
    assert verdict.in_hand > 0, f"no race: {verdict}"


def test_the_judge_sees_what_is_asked_after_a_stop(make_races, monkeypatch):
    step = TurnSteps.asking
    monkeypatch.setattr(Consents, "instead", lambda self, grant: None)
    monkeypatch.setattr(TurnSteps, "asking", lambda self, grant: step(self, grant) and "asking")
    verdict = make_races("persona", 1).run(200)
    assert verdict.asked_after > 0
