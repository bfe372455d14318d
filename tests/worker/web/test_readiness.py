"""What supervisors are told of a web process."""

from __future__ import annotations

import asyncio

from worker.web.readiness import Readiness


def test_it_lives_while_its_loop_beats(store):
    clock = [0.0]
    readiness = Readiness(store, lambda: clock[0])
    clock[0] = 29.0
    assert readiness.live().good
    asyncio.run(readiness.beat())
    clock[0] = 58.0
    assert readiness.live().good
    clock[0] = 60.0
    assert readiness.live() == (False, "no request was looked at for 31 s: restart this web process")


def test_the_store_is_asked_once_a_second_at_most(store, monkeypatch):
    clock, asked = [0.0], []
    monkeypatch.setattr(store, "refusal", lambda: asked.append(clock[0]))
    readiness = Readiness(store, lambda: clock[0])
    for clock[0] in (0.0, 0.5, 1.0, 1.5):
        assert readiness.ready().good
    assert asked == [0.0, 1.0]
