"""Says what is wrong with settings: one line for each fault, with the variable, where it stands, the reason, the cure.

Never a value: it may be a secret, or a part of one.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from config.variables import Variable

_PLACEHOLDER = "*"


def _named(what: str, most: int) -> str:
    return f"is no name of {what}: lower-case letters, digits, - and _, at most {most}, first a letter or a digit"


_FORMS = {
    "start": "is no time of day: write one such as 21:00",
    "end": "is no time of day: write one such as 09:00",
    "lead_zone_path": "is no path: write names with dots between them, such as custom.timezone",
    "target": "is no path: write names with dots between them, such as session_id",
    "user": "is no user name: write it without blanks and colons",
    "endpoint": "is no address: write one such as http://127.0.0.1:4318/v1/traces",
    "types": "is no type of notice: write one such as parley.event.dead, or parley.event.* for all that begin alike",
    "personas": _named("a persona", 64),
}
# Of names that an operator chooses, by the section that has them.
_NAMES = {
    "personas": _named("a persona", 64),
    "sources": _named("a source", 32),
    "endpoints": _named("an endpoint", 32),
}
_SAID = {
    "missing": "is missing: set it",
    "bool_parsing": "is neither true nor false: write one of them",
    "bool_type": "is neither true nor false: write one of them",
    "int_parsing": "is not a whole number: write digits only, such as 500",
    "int_type": "is not a whole number: write digits only, such as 500",
    "int_from_float": "is not a whole number: write digits only, such as 500",
    "int_parsing_size": "is too large a number: write a smaller one",
    "float_parsing": "is not a number: write digits without a unit, such as 1.5",
    "float_type": "is not a number: write digits without a unit, such as 1.5",
    "finite_number": "is not a finite number: write digits, such as 1.5",
    "tuple_type": "is not a list: write 14400,86400 or [14400, 86400]",
    "dict_type": 'is not an object: write {"NAME": "value"}',
    "model_type": "is a section: set its parts, one variable or one line of its table for each",
    "string_type": "is not a text: put it in quotes",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


class Refusal:
    """Words for the faults of one set of settings. ``model``: the tree; ``variables``: what was read, by name without
    prefix; ``personas``: what their file says; ``personas_file``: its name."""

    def __init__(
        self,
        model: type[BaseModel],
        variables: Mapping[str, Variable],
        personas: Mapping[str, Any],
        personas_file: str,
    ) -> None:
        self._variables = variables
        self._personas = personas
        self._personas_file = personas_file
        self._model = model

    def lines(self, error: ValidationError) -> list[str]:
        """One line for each fault; those of the tree as a whole name their variables themselves."""
        lines: list[str] = []
        for fault in error.errors(include_input=False, include_url=False):
            location, said = fault["loc"], self._said(fault)
            if not location:
                lines += said.split("\n")
                continue
            # What was to be a name and is none may be anything, a key too.
            named = location[:-2] if location[-1] == "[key]" else location
            path = [str(part) for part in named if not isinstance(part, int)]
            entry = next((f", entry {part + 1}" for part in location if isinstance(part, int)), "")
            lines.append(f"PARLEY_{'__'.join(path).upper()}{entry}{self._place(path)}: {said}")
        return lines

    def origin_of(self, path: list[str]) -> str:
        """Where the value at a path stands, for people; '' when it was given by the program."""
        for length in range(len(path), 0, -1):
            variable = self._variables.get("__".join(path[:length]).lower())
            if variable:
                return variable.origin
        place: Any = self._personas if path[0] == "personas" else None
        for part in path[1:]:
            place = place.get(part) if isinstance(place, Mapping) else None
        return self._personas_file if place is not None else ""

    def unknown(self, name: str) -> str:
        """What to say of a name that is no setting: which one it may be meant to be."""
        meant = self._meant(name)
        return f"is no setting; did you mean {meant}?" if meant else "is no setting: remove it, or see docs/settings.md"

    def _place(self, path: list[str]) -> str:
        origin = self.origin_of(path)
        return f" ({origin})" if origin else ""

    def _said(self, fault: Any) -> str:
        kind, message, context = fault["type"], fault["msg"], fault.get("ctx") or {}
        if kind == "value_error":
            return str(message.removeprefix("Value error, "))
        if kind == "extra_forbidden":
            return self.unknown("__".join(str(part) for part in fault["loc"]))
        if kind == "literal_error":
            return f"must be {context['expected']}: write one of them"
        if kind in _BOUNDS:
            words, bound = _BOUNDS[kind]
            return f"must be {words} {f'{context[bound]:.3f}'.rstrip('0').rstrip('.')}: write such a number"
        if kind == "string_pattern_mismatch" and (said := _form(fault["loc"])):
            return said
        if kind in ("string_too_short", "too_short"):
            return f"is too short: at least {context['min_length']} characters are needed"
        return _SAID.get(kind) or f"{message[0].lower()}{message[1:]}: correct it (docs/settings.md)"

    def _meant(self, name: str) -> str:
        own = name.lower().split("__")
        names = ["__".join(_named_as(own, path)) for path in paths(self._model)]
        # One underscore for two is the slip that people make.
        squeezed = {each.replace("__", "_"): each for each in names}
        written = name.lower().replace("__", "_")
        found = [each for each in squeezed if each.startswith(f"{written}_")] if "_" in written else []
        found = found or difflib.get_close_matches(written, squeezed, n=1, cutoff=0.75)
        return f"PARLEY_{squeezed[found[0]]}".upper() if found else ""


def _form(location: Sequence[str | int]) -> str | None:
    names = [part for part in location if isinstance(part, str)]
    return _NAMES.get(names[-3]) if names[-1] == "[key]" else _FORMS.get(names[-1])


def _named_as(written: list[str], path: tuple[str, ...]) -> list[str]:
    """The path of a setting, with the name that the operator chose where it has one."""
    at = path.index(_PLACEHOLDER) if _PLACEHOLDER in path else len(path)
    chosen = written[at] if len(written) > at + 1 and tuple(written[:at]) == path[:at] else "name"
    return [chosen if part == _PLACEHOLDER else part for part in path]


def paths(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all settings below a model; a name that the operator chooses is ``*``."""
    for name, field in model.model_fields.items():
        mapped = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is dict else ()
        if mapped and (inner := _model_in(mapped[1])):
            yield from paths(inner, (*above, name, _PLACEHOLDER))
        elif inner := _model_in(field.annotation):
            yield from paths(inner, (*above, name))
        else:
            yield (*above, name)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    candidates = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)
