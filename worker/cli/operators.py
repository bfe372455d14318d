"""``parley operator add``, ``list`` and ``remove``: who may open the console, with a password and roles."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from config import operators
from config.operators import ROLES, Operator
from worker.adapters import passwords
from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No, Usage
from worker.cli.session import Session, session
from worker.store.operator.audit import Act

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The operator's name, such as kim.")]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="The file with the operators. Default: PARLEY_OPERATORS_FILE.")
]


class RoleName(StrEnum):
    """What an operator may do. Everybody may look."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    READER = "reader"


def add(
    name: NameArgument,
    role: Annotated[
        list[RoleName] | None,
        typer.Option(help="viewer = looks, operator = also acts, reader = also reads what leads wrote. Several times."),
    ] = None,
    file: FileOption = None,
) -> None:
    """Add an operator, or give one another password and other roles. The password is asked for, or read from a pipe.

    Example: parley operator add kim --role operator --role reader
    """
    if not passwords.can_hash():
        raise Usage("The package argon2-cffi is not installed: install the extra web (parley-worker[web]).")
    with session(reads=True) as opened:
        place = _place(opened, file)
        known = _read(place)
        roles = tuple(each for each in ROLES if each in (role or [RoleName.VIEWER]))
        password = _password()
        try:
            operator = Operator(name, roles, passwords.hashed(password))
        except ValueError as fault:
            raise Usage(str(fault)) from None
        # First, so that nobody gets in without a trace.
        opened.acts().did(Act.OPERATOR_ADDED, detail=f"{name}: {', '.join(operator.roles)}")
        _write(place, {**known, name: operator})
    screen.say(f"{'Changed' if name in known else 'Added'}: {name} ({', '.join(operator.roles)}), in {place}.")


def list_operators(file: FileOption = None, json: AsJson = False) -> None:
    """List who may open the console, and with which roles.

    Example: parley operator list
    """
    with session(reads=True) as opened:
        known = _read(_place(opened, file))
    if json:
        screen.as_json([{"name": each.name, "roles": list(each.roles)} for each in known.values()])
    elif known:
        screen.table(["name", "roles"], [[each.name, ", ".join(each.roles)] for each in known.values()])
    else:
        screen.say("There is no operator: parley operator add")


def remove(name: NameArgument, file: FileOption = None) -> None:
    """Take an operator off the list.

    Example: parley operator remove kim
    """
    with session(reads=True) as opened:
        place = _place(opened, file)
        known = _read(place)
        if name not in known:
            raise No(f"There is no operator {name!r} in {place}.")
        _write(place, {other: each for other, each in known.items() if other != name})
        opened.acts().did(Act.OPERATOR_REMOVED, detail=name)
    screen.say(f"Removed: {name}.")


def _place(opened: Session, file: Path | None) -> Path:
    place = file or opened.settings.operators_file
    if place is None:
        raise Usage("Which file? Set PARLEY_OPERATORS_FILE, or give --file.")
    return place


def _read(place: Path) -> dict[str, Operator]:
    try:
        return operators.read(place)
    except ValueError as fault:
        raise Usage(str(fault)) from None


def _write(place: Path, known: Mapping[str, Operator]) -> None:
    try:
        operators.write(place, known)
    except OSError as error:
        raise No(f"{place} cannot be written ({error.strerror}). Nothing was changed.") from None


def _password() -> str:
    if sys.stdin.isatty():
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if fault := passwords.fault(password):
        raise Usage(fault)
    return password
