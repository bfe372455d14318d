"""The page of results."""

from __future__ import annotations

from benchmarks.report import Goal, Section, Table
from benchmarks.results import Measured, page, page_of

PRICE, OTHER = Goal("price", "1", "1", True, price=True), Goal("other", "2", "2", False)
TABLE = Table(("size", "seconds"), [("ü", "2")])


def measured(title, *goals, when="today", machine="2 cores"):
    return Measured(Section(title, "About.", "command", [TABLE], list(goals)), when, machine, "Python 3")


def test_the_goals_of_the_price_of_a_turn_stand_first_and_once():
    written = page([measured("Title", OTHER, PRICE)])
    top, section = written.split("## Title")
    assert (
        top.index("| price | 1 | 1 | yes |")
        < top.index("### The other goals")
        < top.index("| other | 2 | 2 | **no** |")
    )
    assert top.count("| price |") == top.count("| other |") == 1
    assert "today" in section
    assert section.count("| price |") == 1


def test_what_is_kept_stays_until_it_is_measured_again(tmp_path):
    for name, one in {"a": measured("First", PRICE), "b": measured("Second", OTHER)}.items():
        one.keep(tmp_path / f"{name}.json")
    again = measured("First", PRICE, when="tomorrow", machine="4 cores")
    again.keep(tmp_path / "a.json")
    written = page_of(tmp_path, ["b", "other", "a"])
    assert written == page([measured("Second", OTHER), again], ["other"])
    assert "2 cores; 4 cores" in written
    assert "| not measured yet | other |" in written
