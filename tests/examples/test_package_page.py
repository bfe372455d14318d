"""The producer of the wheel's page is run as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
REQUEST = json.loads((PROJECT / "tests/contract/captivate/data/request.json").read_text())


def test_ten_lines_take_a_request_and_know_it_again(monkeypatch, tmp_path, redis_server, store):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_REDIS_URL", redis_server.url)
    monkeypatch.setenv("PARLEY_PERSONAS", "ava")
    (block,) = re.findall(r"```python\n(.*?)```", (PROJECT / "PACKAGE.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "PACKAGE.md", "exec"), names)
    request = json.loads(json.dumps(REQUEST))
    request["metadata"]["internal"]["channelMetadata"]["conversationUpdatedAt"] = "2026-11-21T10:00:00Z"
    said = [names["on_captivate_request"](request) for _ in range(2)]
    names["producer"].close()
    assert [re.sub(r"^\S+ ", "", each) for each in said] == ["accepted, place 1", "duplicate, place 1"]
