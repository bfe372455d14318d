"""``docs/all-settings.env`` names every setting, and what it shows as a default is the default; ``.env.example`` shows
those that people change first, none of them active that somebody has to fill in."""

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

from config.settings import Settings, SettingsError, load

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "docs" / "all-settings.env"
EXAMPLE = PROJECT / ".env.example"
ASSIGNMENT = re.compile(r"(?P<off>#?)(?P<name>PARLEY_[A-Z0-9_]+)=(?P<value>.+)")
LINES = FILE.read_text(encoding="utf-8").splitlines()
ASSIGNMENTS = [(number, match) for number, line in enumerate(LINES) if (match := ASSIGNMENT.fullmatch(line))]
# The one that is to be of a certain form.
SIGNING = "PARLEY_NOTICES__ENDPOINTS__CRM__SECRET"
SECRETS = {
    "PARLEY_PERSONAS__AVA__API_KEY",
    "PARLEY_FLOWER__PASSWORD",
    "PARLEY_PRIVACY__HANDLE_KEY",
    "PARLEY_CONSENT__HASH_KEY",
    "PARLEY_INGRESS__SOURCES__SHOP__TOKEN",
    SIGNING,
}
# What stands in the place of a name that the operator chooses.
NAMES = {"personas": "ava", "sources": "shop", "endpoints": "crm"}
SHORT = re.findall(r"^(#?)(PARLEY_[A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)


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
    """Every setting below a model; a mapping of models has one entry."""
    found: list[Setting] = []
    for name, field in model.model_fields.items():
        mapped = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is dict else ()
        if mapped and (inner := model_in(mapped[1])):
            found += leaves(inner, (*path, name, NAMES[name]))
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
    values = {match["name"]: match["value"] for _, match in ASSIGNMENTS}
    values |= dict.fromkeys(SECRETS, "filled in by the operator".replace(" ", "-"))
    values[SIGNING] = "whsec_" + "c2VjcmV0" * 6
    copy.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    # No process reads all of them.
    web = load(env_file=copy, role="web")
    update = {"ingress": web.ingress, "notices": web.notices}
    return load(env_file=copy).model_copy(update=update)


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


def test_nothing_in_the_whole_list_is_active():
    assert [match["name"] for _, match in ASSIGNMENTS if not match["off"]] == []


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_of_the_list_that_nobody_filled_in_is_refused(in_empty_folder, name):
    (value,) = [match["value"] for _, match in ASSIGNMENTS if match["name"] == name]
    copy = in_empty_folder / "not-filled-in.env"
    copy.write_text(f"PARLEY_REDIS_URL=redis://\n{name}={value}\n")
    with pytest.raises(SettingsError, match=rf"{name}(, entry 1)? \(.*\): is a placeholder"):
        load(env_file=copy, role="web" if name.startswith(("PARLEY_INGRESS__", "PARLEY_NOTICES__")) else "worker")


def test_the_short_example_is_short_and_a_part_of_the_whole():
    assert len(SHORT) <= 25
    assert {name for _, name, _ in SHORT} <= {setting.variable for setting in SETTINGS}


def test_only_what_nobody_has_to_fill_in_is_active_in_the_example():
    assert {name for off, name, _ in SHORT if not off} == {"PARLEY_REDIS_URL", "PARLEY_CAPTIVATE__ENVIRONMENT"}


def test_copied_as_it_is_the_example_lacks_the_persona_only(in_empty_folder):
    with pytest.raises(SettingsError) as refused:
        load(env_file=EXAMPLE)
    assert re.findall(r"^  (.{24})", str(refused.value), re.MULTILINE) == ["no persona is configured"]


def test_with_a_persona_from_a_file_the_example_loads_and_everything_has_its_default(in_empty_folder):
    (in_empty_folder / "filled.toml").write_text('[ava]\napi_key = "ft_sk_of_the_operator"\n')
    settings = load(env_file=EXAMPLE, personas_file="filled.toml")
    assert settings.key_origins == {"ava": "filled.toml"}
    assert settings.api_key_of("ava") == "ft_sk_of_the_operator"
    left_out = {"redis_url", "captivate", "personas", "personas_file"}
    told = Settings(redis_url="redis://", captivate={"environment": "dev"}, personas={"ava": {"api_key": "k"}})
    assert settings.model_dump(exclude=left_out) == told.model_dump(exclude=left_out)


def test_every_line_of_the_example_can_be_taken_as_it_is(in_empty_folder):
    values = {name: value for _, name, value in SHORT} | dict.fromkeys(SECRETS - {SIGNING}, "filled-in-by-the-operator")
    copy = in_empty_folder / "short.env"
    copy.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    assert load(env_file=copy).follow_ups.delays_seconds == (14400, 57600)


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
