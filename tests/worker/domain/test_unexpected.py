"""What a background loop logs of an error that nobody expected."""

from __future__ import annotations

import logging

from worker.domain.unexpected import UnexpectedErrors

_log = logging.getLogger("parley.test")


def fail_here(text):
    raise ValueError(text)


def fail_there(text):
    raise ValueError(text)


def note(errors, fail, text="PLANTED words"):
    try:
        fail(text)
    except Exception as error:
        errors.note(error)


def test_each_kind_is_logged_once_by_type_and_place(caplog):
    errors = UnexpectedErrors(_log, "lease renewal")
    for fail in (fail_here, fail_here, fail_there, len, len):
        note(errors, fail, 7 if fail is len else "PLANTED words")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert all(line.startswith("unexpected error in the lease renewal: ") for line in said)
    assert "ValueError at test_unexpected.py:" in said[0]
    assert "TypeError" in said[2]


def test_its_text_is_not_logged(caplog):
    note(UnexpectedErrors(_log, "lease renewal"), fail_here)
    assert "PLANTED" not in caplog.text
