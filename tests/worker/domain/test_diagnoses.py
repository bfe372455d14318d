"""What is wrong, in one sentence with its cure and the page of its alert."""

from __future__ import annotations

import pytest

from worker.domain import diagnoses
from worker.domain.vocabulary import Cause, Gate, stored


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        (stored(Cause.CHANNEL_UNAVAILABLE, "status=503"), "Captivate takes no messages (status 503)"),
        (stored(Cause.CHANNEL_UNAVAILABLE), "Captivate takes no messages (channel unavailable (no connection))"),
        ("", "Captivate takes no messages (no answer)"),
    ],
)
def test_a_closed_channel_is_told_with_what_captivate_answered(reason: str, what: str) -> None:
    found = diagnoses.channel_closed(reason)
    assert (found.what, found.page) == (what, "channel-closed")


@pytest.mark.parametrize(
    ("reason", "gate"),
    [
        ("credits_out status=402", Gate.CREDITS),
        ("key_refused", Gate.QUARANTINED),
        ("pacing bubble=2 of=3", None),
        ("", None),
    ],
)
def test_the_gate_behind_a_reason_is_known(reason: str, gate: Gate | None) -> None:
    assert diagnoses.gate_behind(reason) == gate


@pytest.mark.parametrize(("role", "page"), [("worker", "no-worker"), ("beat", "no-scheduler")])
@pytest.mark.parametrize("state", ["frozen", "dead", "silent", "stopped", ""])
def test_a_role_that_no_process_has_is_told_with_its_own_page_and_command(role: str, page: str, state: str) -> None:
    found = diagnoses.no_process(role, state, "host:12")
    assert (found.page, found.about) == (page, f"{role}s")
    assert found.what.startswith(f"no {role} is alive")
    assert found.do.endswith(f"celery -A worker {role}")
