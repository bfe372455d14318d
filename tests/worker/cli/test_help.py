"""The help is complete, and the page of all commands says what it says."""

from __future__ import annotations

from typing import Any

import pytest
from typer.main import get_command

from docs_build import command_reference
from worker.cli.command import app

COMMAND: Any = get_command(app)
ALL = [
    (name, command, group)
    for group in (COMMAND, *(each for each in COMMAND.commands.values() if hasattr(each, "commands")))
    for name, command in group.commands.items()
    if not hasattr(command, "commands")
]


def test_the_page_of_all_commands_is_that_of_the_real_help():
    assert command_reference.PAGE.read_text(encoding="utf-8") == command_reference.page(), (
        "write it anew: python -m docs_build.command_reference"
    )


@pytest.mark.parametrize(("name", "command", "group"), ALL, ids=[f"{group.name} {name}" for name, _, group in ALL])
def test_each_command_and_each_option_says_what_it_is_for(name, command, group):
    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help] == []


@pytest.mark.parametrize(("name", "command", "group"), ALL, ids=[f"{group.name} {name}" for name, _, group in ALL])
def test_an_example_is_of_its_own_command(name, command, group):
    lines = [line.strip() for line in command.help.splitlines() if line.strip().startswith("Example:")]
    path = name if group is COMMAND else f"{group.name} {name}"
    assert all(line.startswith(f"Example: parley {path}") for line in lines)


def test_the_first_look_names_where_to_begin(parley):
    told = parley("--help").out
    assert "Begin with: parley status" in told
    assert all(name in told for name in COMMAND.commands)
