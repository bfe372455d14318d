"""The web service of docs/reference/captivate.md answers a request of Captivate."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/reference/captivate.md").read_text(encoding="utf-8")
REQUEST = json.loads((PROJECT / "tests/contract/captivate/data/request.json").read_text())


def post(app: Any, body: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            return await client.post("/chat", json=body)

    return asyncio.run(run())


def test_the_web_service_answers_into_the_conversation():
    (block,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "FastAPI" in code]
    names: dict[str, Any] = {}
    exec(compile(block, "docs/reference/captivate.md", "exec"), names)
    answer = post(names["app"], REQUEST)
    assert answer.status_code == 200
    assert answer.json()["response"] == [{"type": "text", "text": "Welcome!"}]
    assert answer.json()["session_id"] == REQUEST["session_id"]
    assert post(names["app"], {"session_id": "s"}).status_code == 422
