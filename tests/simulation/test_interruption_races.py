"""A message of the lead against the further bubbles of a reply, many times (10 000: benchmarks.interruption_races)."""

from __future__ import annotations

import pytest

from simulation.interruption_races import PACING, Races
from simulation.servers.embedded_redis import EmbeddedRedis


@pytest.fixture
def run_races(make_settings):
    """Races on a server of their own, with a policy for interruptions."""
    with EmbeddedRedis() as server:

        def run(interruptions, races, seed):
            persona = {"api_key": "ft_sk_ava", "interruptions": interruptions}
            settings = make_settings(redis_url=server.url, personas={"ava": persona}, pacing=PACING)
            made = Races(settings, workers=2, seed=seed)
            try:
                return made.run(races)
            finally:
                made.close()

        yield run


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("races", "seed"), [(100, 20261129), pytest.param(1000, 4, marks=pytest.mark.slow)])
def test_no_bubble_begins_after_an_accepted_message_and_what_is_withheld_is_listed(run_races, races, seed):
    verdict = run_races("stop_rest", races, seed)
    assert verdict.clean, verdict
    assert verdict.withheld > 20, f"no race: {verdict}"


def test_the_judge_sees_bubbles_that_go_out_after_the_message(run_races):
    assert run_races("collect", 20, seed=1).begun_after > 0
