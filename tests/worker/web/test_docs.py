"""What docs/ingress.md says is what the ingress does."""

from __future__ import annotations

from pathlib import Path

from worker.web.problems import KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "ingress.md").read_text(encoding="utf-8")


def test_the_page_has_each_problem_as_the_ingress_tells_it():
    for kind, meant in KINDS.items():
        assert f"| `{kind}` | {meant.status} | {meant.title} | {meant.cure} |\n" in PAGE
