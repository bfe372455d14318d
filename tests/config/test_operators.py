"""Who may look, act and read: a file with a line for each, strict and without secrets in what it says."""

from __future__ import annotations

import stat

import pytest

from config.operators import Operator, parse, read, write
from config.settings import SettingsError, load

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"


def test_a_line_is_an_operator():
    found = parse(f"# who\n\nkim:operator,reader:{HASH}\nlou : viewer : {HASH}\n")
    assert list(found) == ["kim", "lou"]
    kim, lou = found.values()
    assert (kim.roles, kim.may_act, kim.may_read) == (("operator", "reader"), True, True)
    assert (lou.roles, lou.may_act, lou.may_read) == (("viewer",), False, False)
    assert kim.password_hash == HASH
    assert "argon2" not in repr(kim)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("kim", "is not name:roles:hash"),
        (f"Kim K:viewer:{HASH}", "no name of an operator"),
        (f"kim::{HASH}", "give at least one"),
        (f"kim:viewer,root:{HASH}", "the roles are viewer, operator, reader"),
        ("kim:viewer:secret-in-plain", "no hash of argon2id"),
        ("kim:viewer:$2b$12$bcrypt-of-another-time", "no hash of argon2id"),
        (f"lou:viewer:{HASH}", "lou is there twice"),
    ],
)
def test_a_fault_names_its_line_and_no_secret(line, told):
    with pytest.raises(ValueError, match="line 2: ") as refused:
        parse(f"lou:viewer:{HASH}\n{line}\n")
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "$" not in str(refused.value)


def test_what_is_written_is_read_again_and_only_for_its_owner(tmp_path):
    file = tmp_path / "operators"
    known = {name: Operator(name, ("reader", "operator"), HASH) for name in ("lou", "kim")}
    write(file, known)
    assert file.read_text() == f"kim:operator,reader:{HASH}\nlou:operator,reader:{HASH}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(read(file)) == ["kim", "lou"]
    assert [each.name for each in tmp_path.iterdir()] == ["operators"]


def test_no_file_is_nobody_and_a_bad_one_is_named(tmp_path):
    assert read(tmp_path / "none") == {}
    (tmp_path / "bad").write_text("kim\n")
    with pytest.raises(ValueError, match=r"bad, line 1: is not name:roles:hash"):
        read(tmp_path / "bad")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        read(tmp_path / "binary")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "folder" / "operators", {})
    (tmp_path / "operators").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "operators", {"kim": Operator("kim", ("viewer",), HASH)})
    assert [each.name for each in tmp_path.iterdir()] == ["operators"]


def test_the_setting_is_a_path_and_not_read_as_a_value(monkeypatch, tmp_path, make_settings):
    assert make_settings().operators_file is None
    monkeypatch.setenv("PARLEY_OPERATORS_FILE", str(tmp_path / "operators"))
    usual = {"redis_url": "redis://localhost", "captivate": {"environment": "dev"}}
    assert load(env_file=None, role="scheduler", **usual).operators_file == tmp_path / "operators"
    monkeypatch.setenv("PARLEY_OPERATORS", "kim")
    with pytest.raises(SettingsError, match="PARLEY_OPERATORS"):
        load(env_file=None, role="scheduler", **usual)
