"""Who may look, act and read content in a browser: a file with a line for each operator, made by ``parley operator``.

A line is ``name:roles:hash``, such as ``kim:operator,reader:$argon2id$...``. Lines that are empty or begin with ``#``
are passed over. The file can be a secret that the platform mounts.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from config.secret_files import text_of

Role = Literal["viewer", "operator", "reader"]
ROLES: tuple[Role, ...] = get_args(Role)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_HASH = re.compile(r"\$argon2id\$\S+")


@dataclass(frozen=True, slots=True)
class Operator:
    """Someone who may open the console. ``roles``: everybody may look (``viewer``); an ``operator`` may act, a
    ``reader`` may read what leads wrote. ``password_hash``: argon2id.

    Raises ``ValueError`` for a name, a role or a hash that cannot be one; the text never has the hash.
    """

    name: str
    roles: tuple[Role, ...]
    password_hash: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is no name of an operator: up to 32 small letters, digits, '.', '_' and '-', and the "
                "first is a letter or digit"
            )
        if not self.roles or not set(self.roles) <= set(ROLES):
            raise ValueError(f"{self.name}: the roles are {', '.join(ROLES)}; give at least one")
        if not _HASH.fullmatch(self.password_hash):
            raise ValueError(f"{self.name}: the third part is no hash of argon2id: parley operator add makes one")

    @property
    def may_act(self) -> bool:
        """Whether this operator may change something."""
        return "operator" in self.roles

    @property
    def may_read(self) -> bool:
        """Whether this operator may read what was said."""
        return "reader" in self.roles

    def to_line(self) -> str:
        """Its line of the file."""
        return f"{self.name}:{','.join(sorted(set(self.roles), key=ROLES.index))}:{self.password_hash}"


def parse(text: str) -> dict[str, Operator]:
    """The operators of a file's text, by name. Raises ``ValueError`` with the line at fault, never its hash."""
    found: dict[str, Operator] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [part.strip() for part in line.split(":", 2)]
        if len(parts) != 3:
            raise ValueError(f"line {number}: is not name:roles:hash")
        name, roles, password_hash = parts
        try:
            operator = Operator(name, _roles(roles), password_hash)
        except ValueError as fault:
            raise ValueError(f"line {number}: {fault}") from None
        if name in found:
            raise ValueError(f"line {number}: {name} is there twice")
        found[name] = operator
    return found


def read(file: Path) -> dict[str, Operator]:
    """The operators of a file, by name; none when there is no such file. Raises ``ValueError``, with file and line."""
    if not os.path.exists(file):
        return {}
    text = text_of(file)
    try:
        return parse(text)
    except ValueError as fault:
        raise ValueError(f"{file}, {fault}") from None


def write(file: Path, operators: Mapping[str, Operator]) -> None:
    """Replace the file in one step, readable for its owner only. Raises ``OSError``."""
    lines = [operators[name].to_line() for name in sorted(operators)]
    descriptor, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())
        Path(beside).replace(file)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _roles(text: str) -> tuple[Role, ...]:
    known: Iterable[Role] = ROLES
    given = [role.strip() for role in text.split(",")]
    if set(given) - set(ROLES):
        return ()
    return tuple(role for role in known if role in given)
