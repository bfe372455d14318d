"""Which lines of the Lua scripts a test reaches: copies of the scripts write marks into the log of their server."""

from __future__ import annotations

import re
from pathlib import Path

from simulation.mutants.lua_text import lines_of, marked_lines

_MARK = re.compile(r"parley-mark (\S+):(\d+)$", re.MULTILINE)


def put_marks(root: Path, folder: str) -> None:
    """Put a mark before each straight piece of code of the scripts below ``folder``, in the tree at ``root``."""
    for path in sorted((root / folder).rglob("*.lua")):
        file = path.relative_to(root).as_posix()
        path.write_text(with_marks(file, path.read_text(encoding="utf-8")), encoding="utf-8")


def with_marks(file: str, text: str) -> str:
    """A script with marks. Each stands in front of its line, so the lines keep their numbers."""
    lines = text.splitlines(keepends=True)
    for line in marked_lines(lines_of(text), library="/lib/" in file):
        mark = f"redis.log(redis.LOG_WARNING, 'parley-mark {file}:{line.number}') "
        whole = lines[line.number - 1]
        lines[line.number - 1] = whole[: line.indent] + mark + whole[line.indent :]
    return "".join(lines)


class Log:
    """The log of a server, read on from where the last look ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new_marks(self) -> set[tuple[str, int]]:
        """File and line of the marks that were written since the last look."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._read)
                text = log.read()
        except FileNotFoundError:
            return set()
        self._read += len(text)
        return {(file, int(line)) for file, line in _MARK.findall(text.decode(errors="replace"))}
