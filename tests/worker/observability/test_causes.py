"""Every reason that the product can give has a cause of the closed set, and none of them falls to ``other``."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

from worker.observability import causes

WORKER = Path(__file__).parents[3] / "worker"


def beginning(node):
    """The fixed beginning of a text, None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return node.values[0].value
    return None


def named_reasons(tree):
    """What is called ``reason`` in functions that hold for a reason."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and "again.wait(reason" in ast.unparse(function):
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
                    yield node.value


def reasons(kind):
    """The beginnings of all reasons for a hold or for a death that stand in the modules of ``worker``."""
    found = set()
    for file in WORKER.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            argument = {
                ("hold", "Wait"): lambda call: call.args[1],
                ("hold", "wait"): lambda call: call.args[0] if call.args else None,
                ("dead", "_dead"): lambda call: call.args[0],
                ("dead", "_undelivered"): lambda call: call.args[1],
                ("dead", "End"): lambda call: call.args[1] if beginning(call.args[0]) == "dead" else None,
            }.get((kind, getattr(node.func, "id", getattr(node.func, "attr", ""))))
            text = argument(node) if argument else None
            constant = text.id if isinstance(text, ast.Name) and text.id.isupper() else ""
            found.add(getattr(import_module(f"worker.{file.stem}"), constant) if constant else beginning(text))
        if kind == "hold":
            found |= {beginning(node) for node in named_reasons(tree)}
    return sorted(found - {None})


@pytest.mark.parametrize("reason", reasons("hold"))
def test_each_reason_for_a_hold_has_a_cause(reason):
    assert causes.of_hold(reason) != causes.OTHER


@pytest.mark.parametrize("reason", reasons("dead"))
def test_each_reason_for_a_death_has_a_cause(reason):
    assert causes.of_death(reason) != causes.OTHER


def test_the_search_finds_reasons():
    assert "throttled by the persona (" in reasons("hold")
    assert "the key's own limit of calls" in reasons("hold")
    assert {"poison: its worker vanished ", "delivery unconfirmed: it may have arrived"} <= set(reasons("dead"))


@pytest.mark.parametrize("of", [causes.of_hold, causes.of_death])
def test_what_nobody_knows_is_other(of):
    assert of("@lead said 17 things") == causes.OTHER


def test_giving_up_is_a_cause_whatever_was_given_up():
    assert causes.of_death("gave up after 20 attempts in 300 s: throttled by the persona (429)") == "gave_up"
