"""What Flower is told to show."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from worker.processes.flower import readable


@pytest.mark.parametrize(
    ("result", "exception", "shown"),
    [
        ("'answered, 0.3 s'", None, "answered, 0.3 s"),
        ('"held for 4.0 s: the key\'s own limit of calls"', None, "held for 4.0 s: the key's own limit of calls"),
        (
            None,
            "DeadLetter('dead: refused by the persona (status 422), 0.2 s')",
            "dead: refused by the persona (status 422), 0.2 s",
        ),
        (None, None, None),
    ],
)
def test_the_result_is_a_plain_sentence(result, exception, shown):
    task = SimpleNamespace(result=result, exception=exception)
    assert readable(task).result == shown
