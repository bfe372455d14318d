"""A reply of the lead against the follow-up that is due, thousands of times (100 000: benchmarks.follow_up_races)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation.follow_up_races import Races
from simulation.servers.embedded_redis import EmbeddedRedis
from worker.domain.decisions import before_asking
from worker.pipeline import turn


@pytest.fixture
def make_races(make_settings):
    """Races on a server of their own, which they empty."""
    with EmbeddedRedis() as server:
        made = []

        def make(**options):
            settings = make_settings(redis_url=server.url, follow_ups={"delays_seconds": (3600,), "jitter": 0})
            made.append(Races(settings, **options))
            return made[-1]

        yield make
        for races in made:
            races.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("dispatchers", "seed"), [(2, 20261121), pytest.param(3, 4, marks=pytest.mark.slow)])
def test_nothing_is_sent_after_an_accepted_reply_nothing_lost_nothing_doubled(make_races, dispatchers, seed):
    verdict = make_races(dispatchers=dispatchers, seed=seed).run(1000)
    assert verdict.clean, verdict
    assert min(verdict.reply_first, verdict.gave_way, verdict.sent_first) > 20, f"no race: {verdict}"


def test_the_judge_sees_a_follow_up_that_is_sent_after_the_reply(make_races, monkeypatch):
    def careless(head, known, rules):
        return before_asking(head, replace(known, lead_wrote=False), rules)

    monkeypatch.setattr(turn, "before_asking", careless)
    assert make_races(dispatchers=2, seed=1).run(200).sent_after_reply > 0
