"""docs/logs.md names every event word that workers write at level warning or above."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# What a simulation says concerns nobody who operates the product.
SOURCES = [file for file in (PROJECT / "worker").rglob("*.py") if "simulation" not in file.parts]


def words() -> set[str]:
    """The fixed beginnings of warnings and errors in the code, up to the first thing that varies."""
    found = set()
    for file in SOURCES:
        for text in re.findall(r'_log\.(?:warning|error|critical)\(\s*"([^"]+)"', file.read_text(encoding="utf-8")):
            found.add(re.split(r" ?\(?%", text)[0].split(". ")[0].strip())
    return found


def test_every_warning_and_error_is_on_the_page():
    page = re.sub(r"```.*?```", "", (PROJECT / "docs" / "logs.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    documented = [word.replace("%s", "").split("%")[0].strip() for word in re.findall(r"`([^`]+)`", page)]
    missing = {word for word in words() if word and not any(word.startswith(known) for known in documented if known)}
    assert words(), "the search finds nothing at all"
    assert not missing
