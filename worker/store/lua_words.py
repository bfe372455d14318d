"""What the scripts know of the vocabulary, as Lua definitions made from ``worker.vocabulary``: said once for both."""

from __future__ import annotations

from worker.vocabulary import KINDS


def words() -> str:
    """Definitions that stand in front of ``lua/prelude.lua``: a script carries those that it uses."""
    return _is_one_of("speaks_first", "kind", [kind for kind, rules in KINDS.items() if rules.speaks_first])


def _is_one_of(name: str, argument: str, values: list[str]) -> str:
    tests = " or ".join(f"{argument} == '{value}'" for value in values)
    return f"local function {name}({argument})\n  return {tests}\nend\n"
