"""The settings reference says of each setting what the code says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from config.settings import Settings
from docs_build.settings_reference import Setting, page, sections

EXAMPLE = (Path(__file__).parents[2] / "docs" / "all-settings.env").read_text(encoding="utf-8")


class Inner(BaseModel):
    """How it waits."""

    wait_seconds: Annotated[float, Field(gt=0)] = 60.0
    share: Annotated[float, Field(ge=0, le=1)] | None = None


class Persona(BaseModel):
    """Who speaks."""

    key: SecretStr
    inner: Inner | None = None


class Tree(BaseModel):
    """All."""

    mode: Literal["a", "b"] = "a"
    personas: dict[str, Persona] = {}
    inner: Inner = Inner()


SHOWN = """
# Which one it is.
#PARLEY_MODE=a
# Its key. Required.
PARLEY_PERSONAS__AVA__KEY=k
# As INNER__WAIT_SECONDS.
#PARLEY_PERSONAS__AVA__INNER__WAIT_SECONDS=60.0
# As INNER__SHARE.
#PARLEY_PERSONAS__AVA__INNER__SHARE=0.5
# How long it waits.
#PARLEY_INNER__WAIT_SECONDS=60.0
# Not of this one.
# How much of it
# (of all).
#PARLEY_INNER__SHARE=0.5
"""


def test_each_setting_has_name_type_default_unit_and_sentence():
    found = [(section.title, setting) for section in sections(Tree, SHOWN) for setting in section.settings]
    number, share = "number, above 0", "number, at least 0, at most 1"
    theirs = "the general one"
    assert found == [
        ("Store, broker, files", Setting("PARLEY_MODE", "one of `a`, `b`", "`a`", "", "Which one it is.")),
        ("Persona", Setting("PARLEY_PERSONAS__AVA__KEY", "text, a secret", "required", "", "Its key. Required.")),
        (
            "Persona: inner",
            Setting("PARLEY_PERSONAS__AVA__INNER__WAIT_SECONDS", number, theirs, "seconds", "As INNER__WAIT_SECONDS."),
        ),
        (
            "Persona: inner",
            Setting("PARLEY_PERSONAS__AVA__INNER__SHARE", share, theirs, "share", "As INNER__SHARE."),
        ),
        ("Inner", Setting("PARLEY_INNER__WAIT_SECONDS", number, "`60`", "seconds", "How long it waits.")),
        ("Inner", Setting("PARLEY_INNER__SHARE", share, "none", "share", "How much of it (of all).")),
    ]


def test_a_part_is_told_in_its_own_words():
    assert "## Inner\n\nHow it waits.\n\n| variable |" in page(sections(Tree, SHOWN))


def test_a_setting_that_the_example_does_not_show_is_an_error():
    with pytest.raises(KeyError, match="PARLEY_INNER__SHARE"):
        sections(Tree, SHOWN.replace("#PARLEY_INNER__SHARE", "#"))


def test_every_setting_of_parley_is_told_with_a_sentence():
    told = [setting for section in sections(Settings, EXAMPLE) for setting in section.settings]
    variables = [setting.variable for setting in told]
    shown = [
        line.lstrip("#").partition("=")[0] for line in EXAMPLE.splitlines() if line.startswith(("PARLEY", "#PARL"))
    ]
    assert sorted(variables) == sorted(shown)
    assert [setting.variable for setting in told if not setting.sentence.endswith(".")] == []


def test_no_cell_of_a_table_breaks_it():
    cells = [
        cell
        for section in sections(Settings, EXAMPLE)
        for setting in section.settings
        for cell in (setting.type, setting.default, setting.unit, setting.sentence)
    ]
    assert [cell for cell in cells if "|" in cell or "\n" in cell] == []
