"""``.env.example`` names every setting, and what it shows as a default is the default."""

from __future__ import annotations

import re
import shutil
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pytest
from pydantic import BaseModel

from config.settings import Settings, load

FILE = Path(__file__).parents[2] / ".env.example"
ASSIGNMENT = re.compile(r"(?P<off>#?)(?P<name>PARLEY_[A-Z0-9_]+)=(?P<value>.+)")
LINES = FILE.read_text(encoding="utf-8").splitlines()
ASSIGNMENTS = [(number, match) for number, line in enumerate(LINES) if (match := ASSIGNMENT.fullmatch(line))]
ACTIVE = {"PARLEY_REDIS_URL", "PARLEY_CAPTIVATE__ENVIRONMENT", "PARLEY_PERSONAS__AVA__API_KEY"}


@dataclass(frozen=True)
class Setting:
    """A leaf of the tree: where it is, and its default (None: none)."""

    path: tuple[str, ...]
    default: Any

    @property
    def variable(self) -> str:
        """The variable that sets it."""
        return "PARLEY_" + "__".join(self.path).upper()


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also when it may be None."""
    candidates = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> list[Setting]:
    """Every setting below a model; a mapping of models has one entry called ava."""
    found: list[Setting] = []
    for name, field in model.model_fields.items():
        mapped = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is dict else ()
        if mapped and (inner := model_in(mapped[1])):
            found += leaves(inner, (*path, name, "ava"))
        elif inner := model_in(field.annotation):
            found += leaves(inner, (*path, name))
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            found.append(Setting((*path, name), default))
    return found


def value_of(settings: Settings, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for part in path:
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


SETTINGS = leaves(Settings)


@pytest.fixture(scope="module")
def in_empty_folder(tmp_path_factory):
    """Work in a folder where the files that the example names exist; only that of the authorities has to hold any."""
    folder = tmp_path_factory.mktemp("empty")
    for name in ("personas.toml", "ca.pem", "parley.pem", "parley.key"):
        (folder / name).touch()
    shutil.copy(certifi.where(), folder / "ca.pem")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def all_on(in_empty_folder):
    """The settings that come out when every line of the example is active."""
    copy = in_empty_folder / "all-on.env"
    copy.write_text("".join(f"{match['name']}={match['value']}\n" for _, match in ASSIGNMENTS))
    return load(env_file=copy)


def test_it_names_exactly_all_settings_each_once():
    named = [match["name"] for _, match in ASSIGNMENTS]
    assert sorted(named) == sorted(setting.variable for setting in SETTINGS)


def test_nothing_else_looks_like_a_setting():
    assert [line for line in LINES if re.match(r"#?\s*PARLEY_", line) and not ASSIGNMENT.fullmatch(line)] == []


def test_each_setting_has_a_comment_line_of_its_own():
    for number, match in ASSIGNMENTS:
        above = LINES[number - 1]
        assert above.startswith("# "), f"no comment above {match['name']}"
        assert above.endswith("."), f"the comment above {match['name']} is no sentence"


def test_only_what_must_be_filled_in_is_active():
    assert {match["name"] for _, match in ASSIGNMENTS if not match["off"]} == ACTIVE


def test_copied_as_it_is_it_loads_and_everything_has_its_default(in_empty_folder):
    settings = load(env_file=FILE)
    assert settings.model_dump(exclude={"redis_url", "captivate", "personas"}) == Settings(
        _env_file=None, redis_url="redis://", captivate={"environment": "dev"}, personas={"ava": {"api_key": "k"}}
    ).model_dump(exclude={"redis_url", "captivate", "personas"})


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_the_value_shown_is_the_default(all_on, setting):
    shown = value_of(all_on, setting.path)
    if setting.default is None:
        assert shown is not None, "an example stands for a setting without a default"
    else:
        assert shown == setting.default


def test_a_setting_without_a_default_says_so_or_is_required():
    without = {setting.variable for setting in SETTINGS if setting.default is None}
    for number, match in ASSIGNMENTS:
        says = "No default" in LINES[number - 1] or "Required" in LINES[number - 1]
        assert says is (match["name"] in without), match["name"]
