"""The check that tests use public names only. Run by ``make check``.

Ruff finds private attributes (SLF001); this finds what it does not see: private names that are imported, or replaced by
their name as a text, a clock that is stopped for the whole process, and the source text of functions.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
# They replace or read what is named by a text.
BY_TEXT = {"setattr", "delattr", "getattr", "setitem", "patch", "object"}


def is_private(name: str) -> bool:
    """Whether a name begins with one underscore, also behind its module."""
    last = name.rpartition(".")[2]
    return last.isidentifier() and last.startswith("_") and not last.startswith("__")


def found_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines of a test and what is wrong there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            yield from ((node.lineno, f"imports {each.name}") for each in node.names if is_private(each.name))
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if called in BY_TEXT:
                yield from ((node.lineno, f"replaces or reads {text}") for text in texts if is_private(text))
                if [ast.unparse(one) for one in node.args[:2]] == ["time", "'sleep'"] or "time.sleep" in texts:
                    yield node.lineno, "stops time.sleep for the whole process: give the part a pause of the test's"
            elif called in ("getsource", "getsourcelines"):
                yield node.lineno, "reads the source of the product: test what it does"


def main() -> int:
    """Print each private name in a test; 1 when there is one."""
    files = sorted(TESTS.rglob("*.py"))
    wrong = [
        f"{file.relative_to(TESTS.parent)}:{line}: {what}"
        for file in files
        for line, what in found_in(ast.parse(file.read_text(encoding="utf-8")))
    ]
    print(*wrong, f"{len(files)} files of tests, {len(wrong)} private names", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
