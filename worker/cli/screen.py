"""How the command prints: tables and sentences for a person, JSON for a program."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from config.plain_text import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "as_json",
    "complain",
    "fields",
    "grid",
    "lines",
    "moment",
    "printable",
    "say",
    "show",
    "table",
    "take_any_text",
]


# Wide enough for any table: on a pipe nothing may be wrapped or cut.
_PIPE_WIDTH = 2000


def take_any_text() -> None:
    """From now on a character that the encoding of the terminal has not is shown as an escape, and ends nothing.

    Words of the command line that were read as ASCII, for want of a locale, are read as UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.argv[1:] = [word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for word in sys.argv[1:]]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below their headings; numbers to the right."""
    show(grid(columns, rows))


def grid(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Rows below their headings; numbers to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    texts = [[printable(value) for value in row] for row in rows]
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        numbers = bool(texts) and all(row[index].lstrip("-").isdigit() for row in texts)
        drawn.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in texts:
        drawn.add_row(*(Text(value) for value in row))
    return drawn


def lines(sentences: Iterable[str]) -> Text:
    """Lines of text, wrapped where the terminal ends."""
    from rich.text import Text

    return Text("\n".join(printable(sentence) for sentence in sentences))


def fields(values: Mapping[str, object]) -> Table:
    """Names and values, one line each."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 2))
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in values.items():
        drawn.add_row(Text(name), Text(printable(value)))
    return drawn


def show(*drawn: RenderableType) -> None:
    """Print what was drawn, as wide as the terminal; on a pipe nothing is wrapped or cut."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(*drawn, sep="\n")
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def say(sentence: str) -> None:
    """Print one line."""
    print(printable(sentence))


def as_json(value: Any) -> None:
    """Print a value as indented JSON; times in ISO 8601. What the encoding of the output has not is escaped."""
    text = printable_json(value, indent=2, ensure_ascii=False, default=_plain)
    if not _has(text):
        text = printable_json(value, indent=2, default=_plain)
    print(text)


def complain(sentences: str) -> None:
    """Print lines on standard error."""
    print(printable_lines(sentences), file=sys.stderr)


def moment(at: datetime) -> str:
    """A time as tables show it: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _has(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
