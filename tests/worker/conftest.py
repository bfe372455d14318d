"""The simulated upstreams, once for all tests of turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from worker.simulation.control import SimulatedUpstreams


@pytest.fixture(scope="session")
def upstreams_process() -> Iterator[SimulatedUpstreams]:
    """Both doubles as one process."""
    with SimulatedUpstreams(personas={"ava": "ft_sk_ava", "bea": "ft_sk_bea"}) as upstreams:
        yield upstreams


@pytest.fixture
def upstreams(upstreams_process: SimulatedUpstreams) -> SimulatedUpstreams:
    """Both doubles, as new."""
    upstreams_process.reset()
    return upstreams_process
