"""The help is complete; the page of all commands is made from it."""

from __future__ import annotations

from typing import Any

import pytest
from typer.main import get_command

import worker
from worker.cli.command import app
from worker.cli.groups import LazyGroup

COMMAND: Any = get_command(app)
ALL = [
    (name, command, group)
    for group in (COMMAND, *(each for each in COMMAND.commands.values() if hasattr(each, "commands")))
    for name, command in group.commands.items()
    if not hasattr(command, "commands")
]


@pytest.mark.parametrize(("name", "command", "group"), ALL, ids=[f"{group.name} {name}" for name, _, group in ALL])
def test_each_command_and_each_option_says_what_it_is_for(name, command, group):
    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help] == []


@pytest.mark.parametrize(("name", "command", "group"), ALL, ids=[f"{group.name} {name}" for name, _, group in ALL])
def test_a_group_says_of_a_command_what_the_command_says_of_itself(name, command, group):
    assert isinstance(group, LazyGroup)
    entry = group.entries[name]
    assert entry.summary == " ".join(command.help.partition("\n\n")[0].split())
    assert entry.panel == command.rich_help_panel


@pytest.mark.parametrize(("name", "command", "group"), ALL, ids=[f"{group.name} {name}" for name, _, group in ALL])
def test_an_example_is_of_its_own_command(name, command, group):
    lines = [line.strip() for line in command.help.splitlines() if line.strip().startswith("Example:")]
    path = name if group is COMMAND else f"{group.name} {name}"
    assert all(line.startswith(f"Example: parley {path}") for line in lines)


def test_the_first_look_names_where_to_begin(parley):
    told = parley("--help").out
    assert "Begin with: parley status" in told
    assert all(name in told for name in COMMAND.commands)


def test_the_version_is_told_without_settings(parley):
    assert parley("--version").out == f"parley {worker.__version__}\n"
