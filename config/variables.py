"""Reads the variables: those of the process, those of ``.env``, and the files that they name.

A library for settings could do it, but it stops at the first text that it cannot decode, without its variable, and it
ignores names that it does not know. Here every value keeps its origin, for the sentence that refuses it.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from config.plain_text import printable
from config.secret_files import SettingsError, text_of
from config.values import named

PREFIX = "parley_"
ENVIRONMENT = "environment"

_FILE = "_file"
# Settings of their own whose name happens to end like that.
_NOT_A_VALUE = ("personas_file", "operators_file")
# They are set in the same places and read by others: compose, and scripts outside the project.
_OF_OTHERS = re.compile(
    r"image_requirements|image_tag|web_port|console_port|flower_port|prometheus_port|grafana_port|alertmanager_port|root"
)
# Variables that Kubernetes sets in every container for a service whose name begins with parley.
_OF_KUBERNETES = re.compile(r"(?:.+_)?(?:service_host|service_port(?:_.*)?|port_\d+_(?:tcp|udp)(?:_.*)?)")
_KEY = re.compile(r"personas__.+__api_key")
_SOURCES = re.compile(r"ingress__sources(?:__.+)?")
_ENDPOINTS = re.compile(r"notices__endpoints(?:__.+)?")


@dataclass(frozen=True, slots=True)
class Variable:
    """One value. ``name``: without the prefix, in lower case. ``origin``: where it stands, for people."""

    name: str
    value: str
    origin: str


def read(env_file: Path | None, *, keys: bool, sources: bool) -> dict[str, Variable]:
    """All variables by their names; those of the process win over those of the file.

    ``keys``: also the API keys. ``sources``: also the sources of the ingress and the endpoints of notices, with their
    secrets; else an endpoint only says that notices are kept. What is not wanted is not read, nor a file that holds it.
    Raises ``SettingsError``, one line for each value that cannot be read.
    """
    found: dict[str, Variable] = {}
    faults: list[str] = []
    for variables in (_of_file(env_file, faults) if env_file else (), _of_process(faults)):
        named = {each.name: each for each in variables if each.name.startswith(PREFIX) and each.value}
        ours = {name.removeprefix(PREFIX): each for name, each in named.items()}
        if not keys:
            ours = _without_keys(ours)
        if not sources:
            ours = _without_web(ours)
        found |= _with_files(ours, faults)
    if faults:
        raise SettingsError(told(faults))
    return {name: each for name, each in found.items() if not _of_others(each)}


def _without_web(ours: dict[str, Variable]) -> dict[str, Variable]:
    endpoint = next((each for name, each in ours.items() if _ENDPOINTS.fullmatch(name.removesuffix(_FILE))), None)
    left = {
        name: each
        for name, each in ours.items()
        if not _SOURCES.fullmatch(name.removesuffix(_FILE)) and not _ENDPOINTS.fullmatch(name.removesuffix(_FILE))
    }
    if endpoint is not None:
        left["notices__keep"] = Variable("notices__keep", "true", endpoint.origin)
    return left


def tree(variables: Mapping[str, Variable]) -> dict[str, Any]:
    """The variables as a tree of sections. Raises ``SettingsError`` for a section that is given twice."""
    root: dict[str, Any] = {}
    for name in sorted(variables, key=lambda each: each.count("__")):
        *sections, last = name.split("__")
        place = root
        for depth, section in enumerate(sections, start=1):
            below = place.setdefault(section, {})
            if isinstance(below, str):
                below = place[section] = _object(below, "__".join(sections[:depth]), name)
            place = below
        place[last] = variables[name].value
    return root


def told(faults: list[str]) -> str:
    """The text of a ``SettingsError``."""
    return "Parley cannot start with these settings:\n" + "\n".join(f"  {printable(fault)}" for fault in faults)


def _object(text: str, section: str, name: str) -> dict[str, Any]:
    try:
        value = named(text) if section == "personas" else json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    fault = f"PARLEY_{section}: is no JSON object, and PARLEY_{name} gives a part of it; remove one of them"
    raise SettingsError(told([fault.replace(section, section.upper()).replace(name, name.upper())]))


def _of_process(faults: list[str]) -> Iterator[Variable]:
    for name, value in os.environ.items():  # noqa: TID251 - the only reader of the environment
        if name.lower().startswith(PREFIX):
            yield from _plain(Variable(name.lower(), value, ENVIRONMENT), faults)


def _plain(variable: Variable, faults: list[str]) -> Iterator[Variable]:
    text, shown = variable.value.strip(), variable.name.upper()
    if not text.isprintable() and any("\udc80" <= character <= "\udcff" for character in text):
        faults.append(f"{shown}: its value is not UTF-8 text; set it again in a terminal that uses UTF-8")
        return
    for quote in ('"', "'"):
        # `docker run --env-file` and systemd's neighbours hand on the quotes that a shell would take away.
        if len(text) > 1 and text[0] == text[-1] == quote and quote not in text[1:-1]:
            text = text[1:-1]
            break
        if text.count(quote) == 1 and quote in (text[0], text[-1]):
            faults.append(f"{shown}: its value has a quote at one end only; write it without quotes")
            return
    yield replace(variable, value=text)


def _of_file(file: Path, faults: list[str]) -> Iterator[Variable]:
    if not file.exists():
        return
    try:
        text = text_of(file)
    except ValueError as error:
        faults.append(str(error))
        return
    for binding in parse_stream(io.StringIO(text)):
        ours = binding.key is None or binding.key.lower().startswith(PREFIX)
        if binding.error or (ours and binding.key is not None and binding.value is None):
            blank = len(binding.original.string) - len(binding.original.string.lstrip("\n"))
            line = binding.original.line + blank
            faults.append(f"{file}, line {line}: is not NAME=value; write a comment with # in front, quotes in pairs")
    if faults:
        return
    for name, value in dotenv_values(stream=io.StringIO(text)).items():
        yield Variable(name.lower(), (value or "").strip(), str(file))


def _with_files(variables: dict[str, Variable], faults: list[str]) -> dict[str, Variable]:
    merged = dict(variables)
    for name, variable in variables.items():
        if not name.endswith(_FILE) or name in _NOT_A_VALUE:
            continue
        target, shown = name.removesuffix(_FILE), variable.name.upper()
        if target in variables:
            faults.append(f"{PREFIX.upper()}{target.upper()} and {shown} are both set: give one of them")
            continue
        try:
            value = text_of(Path(variable.value)).rstrip("\r\n")
        except ValueError as error:
            faults.append(f"{shown}: {error}")
            continue
        del merged[name]
        if value:
            merged[target] = Variable(f"{PREFIX}{target}", value, f"file of {shown}")
        else:
            faults.append(f"{shown}: {variable.value} is empty; put the value into it")
    return merged


def _without_keys(variables: dict[str, Variable]) -> dict[str, Variable]:
    left = {name: each for name, each in variables.items() if not _KEY.fullmatch(name.removesuffix(_FILE))}
    for name, variable in variables.items():
        if name not in left:
            # That there is a key says that there is the persona.
            persona = name.removesuffix(_FILE).removesuffix("__api_key")
            left.setdefault(persona, Variable(PREFIX + persona, "{}", variable.origin))
    return left


def _of_others(variable: Variable) -> bool:
    name = variable.name.removeprefix(PREFIX)
    if _OF_OTHERS.fullmatch(name) or _OF_KUBERNETES.fullmatch(name):
        return True
    return name.endswith("port") and "://" in variable.value
