"""The page of results."""

from __future__ import annotations

from benchmarks.__main__ import page
from benchmarks.report import Goal, Section


def test_the_goals_of_the_price_of_a_turn_stand_first_and_once():
    price, other = Goal("price", "1", "1", True, price=True), Goal("other", "2", "2", False)
    written = page([Section("Title", "About.", "command", [], [other, price])], 5, 90)
    top, sections = written.split("## Title")
    assert (
        top.index("| price | 1 | 1 | yes |")
        < top.index("### The other goals")
        < top.index("| other | 2 | 2 | **no** |")
    )
    assert top.count("| price |") == top.count("| other |") == 1
    assert "medians of 5 rounds" in top
    assert sections.count("| price |") == 1
