"""What Flower is told to show, and to whom."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from config.processes import Flower
from worker.processes import flower
from worker.processes.flower import readable, same_login


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


@pytest.mark.parametrize("given", ["operator:pässwörd", unicodedata.normalize("NFD", "operator:pässwörd")])
def test_a_login_may_have_any_character(given):
    assert same_login("operator:pässwörd", given)


@pytest.mark.parametrize("given", ["operator:password", "", "operator:pässwörd ", "\udcff"])
def test_another_login_is_not_the_same(given):
    assert not same_login("operator:pässwörd", given)


@pytest.mark.parametrize(
    ("said", "prefix"), [("flower", "/flower"), ("/ops/flower/", "/ops/flower"), ("/", ""), ("", "")]
)
def test_a_path_is_written_in_one_way(said, prefix):
    assert Flower(url_prefix=said).url_prefix == prefix


@pytest.mark.parametrize("said", ["https://ops.example.com/flower", "a//b", "flower?x=1", "flower/.*", "../x", "a b"])
def test_what_is_no_path_is_refused(said):
    with pytest.raises(ValidationError, match="a path such as /flower"):
        Flower(url_prefix=said)


def test_a_file_that_cannot_be_written_is_told_before_anything_starts(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("PARLEY_FLOWER__PASSWORD", "pässwörd")
    monkeypatch.setenv("PARLEY_FLOWER__DATABASE", str(tmp_path / "file/flower.db"))
    assert flower.main() == 2
    assert "PARLEY_FLOWER__DATABASE" in capsys.readouterr().err


def test_its_file_is_not_where_it_was_started():
    assert Flower().database.expanduser().is_relative_to(Path.home())
