"""Writes ``parley_client/models``: the event models of the worker, copied from its source. Run by ``make client``.

A producer beside the client has the same definitions as the worker: the same fields, limits and words. What only the
worker needs (stored events, names of other rooms) is left behind. A test fails when the copy differs.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from worker.domain import events

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PACKAGE = "parley_client.models"
EVENTS = "worker.domain.events"

ROOTS = (
    "AiOpener",
    "Attachment",
    "ChannelContext",
    "Event",
    "EventTrigger",
    "FollowUp",
    "InboundChat",
    "MoneyEvent",
    "parse",
)
# They belong to what is stored, which no producer sees.
LEFT_BEHIND = {"ChannelContext.of_json", "ChannelContext._stored_by_this_release", "InboundChat.one_image_each"}
# What the client has itself.
OWN = {("worker.domain.refusals", "InvalidEvent"): "parley_client.errors"}
# Copied as what it is, without what it is computed from.
BY_VALUE = {(EVENTS, "_KINDS"): vars(events)["_KINDS"]}


class Name(NamedTuple):
    """A top-level name of a module."""

    module: str
    name: str


@dataclass(frozen=True)
class Statement:
    """A top-level statement: its lines, what it defines, and which names it reads."""

    text: str
    defines: frozenset[str]
    reads: frozenset[str]


class Module:
    """A module of the worker, as its source."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lines = _file(name).read_text(encoding="utf-8").splitlines()
        tree = ast.parse("\n".join(self._lines))
        self.imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        self.statements = [
            self._statement(node) for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
        ]

    def _statement(self, node: ast.stmt) -> Statement:
        first = _first_line(node)
        while self._lines[first - 2].startswith("#"):
            first -= 1
        lines = dict(enumerate(self._lines[first - 1 : node.end_lineno], start=first))
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            for method in [one for one in methods if f"{node.name}.{one.name}" in LEFT_BEHIND]:
                node.body.remove(method)
                for number in range(_first_line(method), (method.end_lineno or 0) + 1):
                    del lines[number]
        return Statement("\n".join(lines.values()), frozenset(_defined(node)), frozenset(_read(node)))


@cache
def module(name: str) -> Module:
    """A module of the worker."""
    return Module(name)


def files() -> dict[Path, str]:
    """The files of the copy and their texts."""
    needed = _needed()
    made = {HERE / "parley_client" / "models" / "__init__.py": f'"""{_HEAD.format("worker/domain/events.py")}"""\n'}
    for name in sorted({each.module for each in needed}):
        kept = {each.name for each in needed if each.module == name}
        made[HERE / "parley_client" / "models" / f"{_last(name)}.py"] = _formatted(_copy(module(name), kept))
    return made


def main() -> None:
    """Write the copy."""
    made = files()
    for file in (HERE / "parley_client" / "models").glob("*.py"):
        file.unlink()
    for file, text in made.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(file.relative_to(PROJECT))


_HEAD = "Made of {} by make client: change it there."


def _needed() -> set[Name]:
    """All names that the roots read, directly or through others."""
    needed: set[Name] = set()
    open_ones = [Name(EVENTS, root) for root in ROOTS]
    while open_ones:
        name = open_ones.pop()
        if name in needed or name in OWN:
            continue
        needed.add(name)
        if name not in BY_VALUE:
            for statement in _defining(name):
                open_ones += _meant(module(name.module), statement.reads)
    return needed


def _defining(name: Name) -> list[Statement]:
    found = [statement for statement in module(name.module).statements if name.name in statement.defines]
    if not found:
        raise LookupError(f"{name.module} defines no {name.name}")
    return found


def _meant(home: Module, reads: Iterable[str]) -> Iterator[Name]:
    """The names of the worker that these texts mean: ``Name`` or ``module.name`` as the source has them."""
    own = {name for statement in home.statements for name in statement.defines}
    imported = dict(_imported(home))
    for text in reads:
        first, _, attribute = text.partition(".")
        if text in own:
            yield Name(home.name, text)
        elif first in imported:
            source, name = imported[first]
            if not _file(f"{source}.{name}").exists():
                yield Name(source, name)
            elif attribute:
                yield Name(f"{source}.{name}", attribute)


def _imported(home: Module) -> Iterator[tuple[str, Name]]:
    for node in home.imports:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("worker."):
            yield from ((one.asname or one.name, Name(node.module or "", one.name)) for one in node.names)


def _copy(home: Module, kept: set[str]) -> str:
    statements = [statement for statement in home.statements if statement.defines & kept]
    texts: list[str] = []
    reads: set[str] = set()
    for statement in statements:
        (name, *_) = statement.defines
        value = BY_VALUE.get((home.name, name))
        texts.append(statement.text if value is None else f"{name} = {value!r}")
        reads |= statement.reads if value is None else set()
    head = f'"""{_HEAD.format(_file(home.name).relative_to(PROJECT))}"""'
    return "\n\n".join([head, "\n".join(_imports(home, reads)), *texts]) + "\n"


def _imports(home: Module, reads: set[str]) -> Iterator[str]:
    for node in home.imports:
        for one in node.names:
            bound = one.asname or one.name
            if bound not in {text.partition(".")[0] for text in reads} and bound != "annotations":
                continue
            renamed = f" as {one.asname}" if one.asname else ""
            if isinstance(node, ast.Import):
                yield f"import {one.name}{renamed}"
            else:
                yield f"from {_source(node.module or '', one.name)} import {one.name}{renamed}"


def _source(source: str, name: str) -> str:
    if not source.startswith("worker."):
        return source
    if _file(f"{source}.{name}").exists():
        return PACKAGE
    return OWN.get((source, name)) or f"{PACKAGE}.{_last(source)}"


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))


def _read(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name):
            yield f"{one.value.id}.{one.attr}"


def _file(name: str) -> Path:
    return PROJECT.joinpath(*name.split(".")).with_suffix(".py")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _formatted(text: str) -> str:
    ruff, made = Path(sys.executable).with_name("ruff"), HERE / "parley_client" / "models" / "made.py"
    for words in (["check", "--select", "I,F401", "--fix-only"], ["format"]):
        command = [str(ruff), *words, "--quiet", "--stdin-filename", str(made), "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=PROJECT)  # noqa: S603
        text = done.stdout
    return text


if __name__ == "__main__":
    main()
