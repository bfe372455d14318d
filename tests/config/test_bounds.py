"""No number that a setting takes can break the books: each has an end, and a store works with the largest and the
smallest of them."""

from __future__ import annotations

import types
import typing
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from config.sections import Outreach
from config.settings import Settings, SettingsError, load

MINIMAL: dict[str, Any] = {
    "redis_url": "redis://localhost/0",
    "captivate": {"environment": "dev"},
    "personas": {"ava": {"api_key": "k"}},
}


def model_in(annotation):
    """The model that a field holds, also when it may be None or is a mapping's value."""
    if typing.get_origin(annotation) is dict:
        annotation = typing.get_args(annotation)[1]
    candidates = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def numbers(model, path=()):
    """The path of every setting that is a number, or a list of them."""
    for name, field in model.model_fields.items():
        below = (*path, name, "ava") if typing.get_origin(field.annotation) is dict else (*path, name)
        if inner := model_in(field.annotation):
            yield from numbers(inner, below)
        elif any(word in str(field.annotation) for word in ("int", "float")):
            yield below


NUMBERS = [path for path in numbers(Settings) if path[-1] != "headers"]


def with_number(path, value):
    """The settings that have it, everything else as usual."""
    tree: Any = {name: dict(part) if isinstance(part, dict) else part for name, part in MINIMAL.items()}
    tree["personas"] = {"ava": {"api_key": "k"}}
    part = tree
    for name in path[:-1]:
        part = part.setdefault(name, {})
    part[path[-1]] = value
    return load(env_file=None, **tree)


def value_of(path, number):
    return (number,) if path[-1] == "delays_seconds" else number


@pytest.mark.parametrize("path", NUMBERS, ids="__".join)
def test_every_number_has_an_end(path):
    for number in (10**17, 1e300, float("nan"), -1):
        with pytest.raises(SettingsError):
            with_number(path, value_of(path, number))


@pytest.mark.parametrize("path", [path for path in NUMBERS if path[-1].endswith("seconds")], ids="__".join)
def test_no_time_becomes_nothing_by_being_rounded(path):
    """But where zero has a meaning of its own: there a tiny time means the same."""
    try:
        with_number(path, value_of(path, 0))
    except SettingsError:
        with pytest.raises(SettingsError):
            with_number(path, value_of(path, 1e-9))


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (("personas", "ava", "calls_per_second"), 1001),
        (("personas", "ava", "calls_per_second"), 1e-300),
        (("personas", "ava", "follow_ups", "per_hour"), 3_600_001),
        (("personas", "ava", "outreach", "openers_per_hour"), 1e-300),
        (("fluidtalk", "read_seconds"), 30 * 86_400),
        (("captivate", "connect_seconds"), 30 * 86_400),
        (("images", "total_seconds"), 30 * 86_400),
        (("lease", "ttl_seconds"), 86_400),
        (("retention", "timeline_entries"), 10**6),
    ],
)
def test_what_would_be_no_limit_or_no_call_is_refused(path, number):
    with pytest.raises(SettingsError):
        with_number(path, number)


def test_a_ramp_that_runs_for_years_has_a_number():
    ramp = Outreach(openers_per_hour=1, growth_per_day=10, openers_per_hour_limit=3000)
    assert ramp.per_hour_after(100_000) == 3000


def test_bounds_are_said_with_the_name_of_the_variable():
    with pytest.raises(SettingsError, match=r"PARLEY_RETENTION__SETTLED_SECONDS: .*315360000"):
        with_number(("retention", "settled_seconds"), 1e16)


def test_a_section_alone_refuses_the_same():
    with pytest.raises(ValidationError):
        Outreach(openers_per_hour=0.0001)
