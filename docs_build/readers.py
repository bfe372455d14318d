"""What the reference of the Python interface shows otherwise than the code: docstrings without the notes for those who
change it, such as ``Source: ...`` and F12, and models of pydantic with their fields, as the call that makes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from griffe import Alias, Attribute, Class, Extension, Function, Module, Object, Parameter, ParameterKind, Parameters

_CODE = r"(?:[FC]\d{1,2})"
_CODES = rf"{_CODE}(?:(?:,[ ]|[ ]and[ ]|[ ]to[ ]){_CODE})*"
_NOTES = re.compile(
    rf"""
      \s*\bSources?:\ .*?(?=\n\n|\Z)                    # to the end of its paragraph
    | \s*\([^()]*(?:protocols\.md|\bseed\ )[^()]*\)      # a remark that names the notes
    | \s*\({_CODES}\)                                   # a remark of nothing but codes
    | (?<=\(){_CODES}:\                                 # codes at the start of a remark
    | ,[ ]{_CODES}(?=\))                                 # codes at its end
    | \ of\ protocols\.md\ [\d.]+
    """,
    re.DOTALL | re.VERBOSE,
)


def without_notes(text: str) -> str:
    """A docstring for readers who do not have the notes that it refers to."""
    return _NOTES.sub("", text).strip()


class ReaderDocstrings(Extension):
    """For griffe, which reads the code: see the module."""

    def on_object(self, *, obj: Object, **_kwargs: Any) -> None:
        """Called for everything that griffe finds."""
        if obj.docstring:
            obj.docstring.value = without_notes(obj.docstring.value)

    def on_package(self, *, pkg: Module, **_kwargs: Any) -> None:
        """Called when a whole package has been read."""
        for model in _models(pkg):
            fields = [field for each in [*reversed(_bases(model)), model] for field in _fields(each)]
            by_name = {field.name: field for field in fields}
            model.set_member(
                "__init__", Function("__init__", parameters=Parameters(*map(_parameter, by_name.values())))
            )


def _models(module: Module) -> Iterator[Class]:
    """The models of pydantic in a module and in those below it."""
    for member in list(module.members.values()):
        if isinstance(member, Module):
            yield from _models(member)
        elif isinstance(member, Class) and "__init__" not in member.members and _is_model(member):
            yield member


def _is_model(found: Class) -> bool:
    return any(str(base) == "BaseModel" for each in [found, *_bases(found)] for base in each.bases)


def _bases(model: Class) -> list[Class]:
    """The base classes that are in the same package, the nearest first."""
    return [base.final_target if isinstance(base, Alias) else base for base in model.mro()]


def _fields(model: Class) -> list[Attribute]:
    fields = [member for member in model.members.values() if isinstance(member, Attribute)]
    return [field for field in fields if field.annotation and field.name.isidentifier() and field.name[0] != "_"]


def _parameter(field: Attribute) -> Parameter:
    return Parameter(field.name, annotation=field.annotation, default=field.value, kind=ParameterKind.keyword_only)
