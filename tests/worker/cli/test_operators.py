"""``parley operator``: who may open the console."""

from __future__ import annotations

import json

import pytest

from config.operators import read
from worker.adapters import passwords

GOOD = "correct horse battery"


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Where the operators are."""
    place = tmp_path / "operators"
    monkeypatch.setenv("PARLEY_OPERATORS_FILE", str(place))
    return place


def test_add_list_change_and_remove(parley, store, file):
    ended = parley("operator", "add", "kim", "--role", "reader", "--role", "operator", answer=f"{GOOD}\n")
    assert (ended.status, ended.out) == (0, f"Added: kim (operator, reader), in {file}.\n")
    assert parley("operator", "add", "lou", answer=f"{GOOD}\n").status == 0
    assert passwords.matches(GOOD, read(file)["kim"].password_hash)
    assert json.loads(parley("operator", "list", "--json").out) == [
        {"name": "kim", "roles": ["operator", "reader"]},
        {"name": "lou", "roles": ["viewer"]},
    ]
    assert parley("operator", "add", "kim", answer="another password\n").out.startswith("Changed: kim (viewer)")
    assert not passwords.matches(GOOD, read(file)["kim"].password_hash)
    assert "$argon2" not in parley("operator", "list").out
    assert parley("operator", "remove", "kim").out == "Removed: kim.\n"
    assert list(read(file)) == ["lou"]
    assert [act.act for act in store.audit.newest()] == ["operator removed", *["operator added"] * 3]


def test_what_cannot_be(parley, store, file, tmp_path):
    for words, answer, status, told in (
        (("add", "Kim K"), GOOD, 2, "no name of an operator"),
        (("add", "kim"), "short", 2, "12 to 1000 characters"),
        (("add", "kim", "--file", str(tmp_path / "no" / "file")), GOOD, 1, "cannot be written"),
        (("remove", "kim"), "", 1, "There is no operator 'kim'"),
    ):
        ended = parley("operator", *words, answer=f"{answer}\n")
        assert (ended.status, told in ended.err) == (status, True), ended
    assert parley("operator", "list").out == "There is no operator: parley operator add\n"
    file.write_text("kim\n")
    ended = parley("operator", "list")
    assert (ended.status, "operators, line 1: is not name:roles:hash" in ended.err) == (2, True)


def test_the_file_has_to_be_named(parley, store):
    ended = parley("operator", "list")
    assert (ended.status, "PARLEY_OPERATORS_FILE" in ended.err) == (2, True)


def test_without_the_package_it_says_what_to_install(parley, store, file, monkeypatch):
    monkeypatch.setattr(passwords, "can_hash", lambda: False)
    ended = parley("operator", "add", "kim", answer=GOOD)
    assert (ended.status, "install the extra web" in ended.err) == (2, True)
