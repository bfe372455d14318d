"""Which peers take part."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest

from benchmarks import throughput
from benchmarks.peers.contenders import Contender, dramatiq, parley, taskiq


@pytest.mark.parametrize("peer", [dramatiq, taskiq])
def test_a_peer_that_is_not_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, peer: Callable[[], Contender | None]
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert peer() is None
    assert not [
        one for contenders in throughput.program().values() for one in contenders if one.name[:3] in "(c)(d)(e)"
    ]


def test_a_peer_that_is_installed_takes_part_in_every_case(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    for contenders in throughput.program().values():
        assert {"(d)", "(e)"} <= {one.name[:3] for one in contenders}


def test_ours_runs_in_as_many_processes_as_it_says():
    one = parley(1, task_events=True)
    assert (one.workers, one.options, one.on_postgresql, one.ours) == (1, ("-E",), False, True)
    assert parley(2).workers == 2
