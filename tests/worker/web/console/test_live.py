"""Live updates."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from starlette.responses import StreamingResponse

from worker.domain.unexpected import UnexpectedErrors
from worker.store import StoreError
from worker.web.console.live import stream

ERRORS = UnexpectedErrors(logging.getLogger("test"), "console")


def _read(*states: Any) -> list[str]:
    left = iter(states)

    def main() -> str | None:
        state = next(left)
        if isinstance(state, Exception):
            raise state
        return state

    response = stream(main, ERRORS, every_seconds=0.001)
    assert isinstance(response, StreamingResponse)

    async def collect() -> list[str]:
        return [str(part) async for part in response.body_iterator]

    return asyncio.run(collect())


def test_a_page_is_sent_again_when_it_has_changed():
    _, first, same, second, over = _read("<p>1\n</p>", "<p>1\n</p>", "<p>2</p>", None)
    assert json.loads(first.removeprefix("data: ")) == "<p>1\n</p>"
    assert same.startswith(":")
    assert json.loads(second.removeprefix("data: ")) == "<p>2</p>"
    assert over.startswith("event: over")


def test_the_name_of_the_next_act_alone_is_no_change():
    pages = [
        f'<input name="id" value="{name * 32}"><p>{text}</p>' for name, text in (("a", "1"), ("b", "1"), ("c", "2"))
    ]
    _, _, same, second, _ = _read(*pages, None)
    assert same.startswith(":")
    assert "<p>2</p>" in second


def test_a_store_that_is_away_for_a_moment_ends_nothing():
    _, _, away, again, _ = _read("<p>1</p>", StoreError("away"), "<p>2</p>", None)
    assert away.startswith(":")
    assert "2" in again


def test_an_error_of_ours_ends_the_updates_not_the_process():
    assert _read(ValueError("SECRET"))[-1].startswith("event: over")


def test_no_session_no_updates(desk):
    assert desk.stranger().get("/live/").status_code == 401
    assert desk.browser("vera").get("/live/nowhere").status_code == 404
