"""The settings reference: what ``config/`` knows of every setting, with the sentence of ``docs/all-settings.env``.

Nothing in it is written by hand, so it cannot tell anything else than the code.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from annotated_types import Ge, Gt, Interval, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

# What stands in the place of a name that the operator chooses.
_EXAMPLES = {"personas": "ava", "sources": "shop", "endpoints": "crm"}
_ASSIGNMENT = re.compile(r"#?(PARLEY_[A-Z0-9_]+)=(.+)")
_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", SecretStr: "text, a secret"}
_WORDS |= {Path: "path", dict: "JSON object", tuple: "list, with commas or as JSON"}
_BOUNDS = {Gt: "above", Ge: "at least", Lt: "below", Le: "at most"}
# The end of a setting's name says its unit; the first that fits counts.
_UNITS = {
    "_per_second": "per second",
    "_seconds": "seconds",
    "_bytes": "bytes",
    "_characters": "characters",
    "per_hour": "per hour",
    "per_hour_limit": "per hour",
    "growth_per_day": "factor per day",
    "per_day": "per UTC day",
    "per_day_in_all": "per UTC day",
    "jitter": "share",
    "share": "share",
    "ratio": "share",
    "start": "local time",
    "end": "local time",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable: its name, what it takes, its default as it is written in ``.env``, its unit, and its sentence."""

    variable: str
    type: str
    default: str
    unit: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Section:
    """The settings of one part of the tree, with the part's own words."""

    title: str
    words: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A field that holds a value. ``inherits``: its part may be left out, and a general one holds then."""

    path: tuple[str, ...]
    field: FieldInfo
    owner: type[BaseModel]
    inherits: bool


def sections(model: type[BaseModel], example: str) -> list[Section]:
    """All settings below ``model``, part by part, in the order of the code.

    ``example``: the text of ``docs/all-settings.env``. Raises ``KeyError`` for a setting that it does not show.
    """
    sentences = dict(_sentences(example))
    parts: dict[tuple[str, ...], tuple[str, list[Setting]]] = {}
    for leaf in _leaves(model):
        part, variable = leaf.path[:-1], "PARLEY_" + "__".join(leaf.path).upper()
        words = "" if leaf.owner is model else inspect.getdoc(leaf.owner) or ""
        _, found = parts.setdefault(part, (words, []))
        default = "the general one" if leaf.inherits else _default_of(leaf.field)
        found.append(Setting(variable, _type_of(leaf.field), default, _unit_of(leaf.path[-1]), sentences[variable]))
    return [Section(_title(part), words, tuple(found)) for part, (words, found) in parts.items()]


def page(found: list[Section]) -> str:
    """The sections as Markdown, one table for each."""
    return "\n".join(_rendered(section) for section in found)


def _leaves(model: type[BaseModel], path: tuple[str, ...] = (), inherits: bool = False) -> Iterator[_Leaf]:
    below: list[tuple[type[BaseModel], tuple[str, ...], bool]] = []
    for name, field in model.model_fields.items():
        mapped = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is dict else ()
        if mapped and (inner := _model_in(mapped[1])):
            below.append((inner, (*path, name, _EXAMPLES[name]), False))
        elif inner := _model_in(field.annotation):
            below.append((inner, (*path, name), field.default is None))
        else:
            yield _Leaf((*path, name), field, model, inherits)
    for each in below:
        yield from _leaves(*each)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    candidates = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _sentences(example: str) -> Iterator[tuple[str, str]]:
    lines = example.splitlines()
    for number, line in enumerate(lines):
        if match := _ASSIGNMENT.fullmatch(line):
            above = number - 1
            # A comment goes on over several lines when its last one does not begin as a sentence does.
            while not lines[above][2:3].isupper() and lines[above - 1].startswith("# "):
                above -= 1
            yield match[1], " ".join(each.removeprefix("# ") for each in lines[above:number])


def _type_of(field: FieldInfo) -> str:
    parts: list[Any] = [field.annotation]
    if typing.get_origin(field.annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(field.annotation) if part is not type(None)]
    bounds = [*field.metadata]
    kinds: list[str] = []
    for part in parts:
        if hasattr(part, "__metadata__"):
            for metadata in part.__metadata__:
                bounds += metadata.metadata if isinstance(metadata, FieldInfo) else [metadata]
            part = part.__origin__
        kinds.append(_word(part))
    return ", ".join([" or ".join(kinds), *_bounds(bounds)])


def _word(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in typing.get_args(kind))
    return _WORDS[origin or kind]


def _bounds(metadata: list[Any]) -> list[str]:
    flat: list[Any] = []
    for each in metadata:
        flat += list(each) if isinstance(each, Interval) else [each]
    found = []
    for each in flat:
        for kind, word in _BOUNDS.items():
            if isinstance(each, kind):
                (value,) = (getattr(each, slot) for slot in ("gt", "ge", "lt", "le") if hasattr(each, slot))
                found.append(f"{word} {value}")
    return found


def _default_of(field: FieldInfo) -> str:
    if field.default is PydanticUndefined and field.default_factory is None:
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    return f"`{_written(default)}`"


def _written(value: Any) -> str:
    """A value as it stands in ``.env``."""
    if isinstance(value, bool | dict | tuple):
        return json.dumps(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _unit_of(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def _title(part: tuple[str, ...]) -> str:
    if not part:
        return "Store, broker, files"
    if part[0] == "personas":
        own = " ".join(part[2:]).replace("_", " ")
        return f"Persona: {own}" if own else "Persona"
    if part[0] == "ingress" and part[1:]:
        return f"Ingress: {part[1].removesuffix('s').capitalize()}"
    return {"fluidtalk": "FluidTalk", "tls": "TLS"}.get(part[0], part[0].replace("_", " ").capitalize())


def _rendered(section: Section) -> str:
    rows = [
        f"| {_breakable(each.variable)} | {each.type} | {each.default} | {each.unit} | {each.sentence} |"
        for each in section.settings
    ]
    head = ["| variable | takes | default | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    words = [section.words, ""] if section.words else []
    return "\n".join([f"## {section.title}", "", *words, *head, *rows, ""])


def _breakable(variable: str) -> str:
    """The name as code that may be broken behind each level, so that a table fits on a screen."""
    return "<code>" + variable.replace("__", "__<wbr>") + "</code>"
