"""Passwords of operators: argon2id, and a name that nobody has costs as much as one that somebody has."""

from __future__ import annotations

import pytest

from worker.adapters import passwords

GOOD = "correct horse battery"


def test_only_the_password_matches_its_hash():
    first, second = passwords.hashed(GOOD), passwords.hashed(GOOD)
    assert first != second
    assert first.startswith("$argon2id$")
    assert passwords.matches(GOOD, first)
    assert not passwords.matches(GOOD + " ", first)
    assert not passwords.matches("", first)


@pytest.mark.parametrize("password_hash", [None, "", "$argon2id$broken", "plain"])
def test_without_a_hash_nothing_matches(password_hash):
    assert not passwords.matches(GOOD, password_hash)
    assert not passwords.matches("the password of nobody", password_hash)


def test_a_long_text_costs_no_work():
    assert not passwords.matches("x" * 1_000_000, passwords.hashed(GOOD))


@pytest.mark.parametrize(("password", "allowed"), [("x" * 11, False), ("x" * 12, True), ("x" * 1001, False)])
def test_its_length(password, allowed):
    assert (passwords.fault(password) is None) == allowed
