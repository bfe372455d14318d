"""A flame graph as SVG from collapsed stacks, and shares by library. Pure.

A line of collapsed stacks is ``outermost;...;innermost count``, each frame ``function (file:line)``, as py-spy and
others write it. The picture has no script and loads nothing; the title of each box has its name and share.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

_WIDTH, _ROW, _MARGIN, _LEGEND = 860, 15, 10, 42
_FONT, _LETTER = 10, 6.1
# Narrower boxes than this part of the whole are left out; their time is still in the boxes below them.
_LEAST = 0.002
_FRAME = re.compile(r"^(?P<function>.*) \((?P<file>.*?)(:\d+)?\)$")

# In the order of the legend. A place is found by the beginning of its files.
PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Parley": ("#8fd3c7", ("worker/", "tasks/", "config/")),
    "Celery, kombu": ("#f7c08a", ("celery/", "kombu/", "vine/", "billiard/", "amqp/")),
    "redis-py": ("#f2a3a0", ("redis/", "hiredis/")),
    "HTTP": ("#a9c7f0", ("httpx/", "httpcore/", "httptools/", "h11/")),
    "pydantic, JSON": ("#d3b8ee", ("pydantic/", "pydantic_core/", "json/")),
    "metrics, logs": ("#e6dc8c", ("prometheus_client/", "logging/")),
}
_OTHERS = ("Python and others", "#d5dbe1")


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack, outermost frame first, and how often it was seen."""

    frames: tuple[str, ...]
    count: int


@dataclass(slots=True)
class _Node:
    count: int = 0
    children: dict[str, _Node] = field(default_factory=dict)


def parse(lines: Iterable[str]) -> list[Stack]:
    """Read collapsed stacks. Files keep the part of their path that names the module."""
    found = []
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        if stack:
            found.append(Stack(tuple(map(_short, stack.split(";"))), int(count)))
    return found


def place(frame: str) -> str:
    """Whose function this is: a key of ``PLACES``, or the rest."""
    found = _FRAME.match(frame)
    file = found["file"] if found else ""
    return next((name for name, (_, starts) in PLACES.items() if file.startswith(starts)), _OTHERS[0])


def own_shares(stacks: Sequence[Stack]) -> list[tuple[str, float]]:
    """For each place: the share of samples in whose innermost Python function it was, the largest first."""
    counts = Counter[str]()
    for stack in stacks:
        counts[place(stack.frames[-1])] += stack.count
    return _shares(counts)


def function_shares(stacks: Sequence[Stack], of: str) -> list[tuple[str, float]]:
    """For each function of a place: the share of samples in it and in all that it called, the largest first."""
    counts = Counter[str]()
    for stack in stacks:
        for frame in {frame for frame in stack.frames if place(frame) == of}:
            counts[frame] += stack.count
    total = sum(stack.count for stack in stacks)
    return [(frame, count / total) for frame, count in counts.most_common()]


def svg(stacks: Sequence[Stack], title: str) -> str:
    """The picture. The outermost frames are at the bottom."""
    root, depth = _Node(), 0
    for stack in stacks:
        root.count += stack.count
        node = root
        for frame in stack.frames:
            node = node.children.setdefault(frame, _Node())
            node.count += stack.count
    boxes = [box for box in _boxes(root) if box[2] >= _LEAST]
    depth = max((level for level, *_ in boxes), default=0) + 1
    height = _LEGEND + depth * _ROW + _MARGIN
    drawn = [_box(box, height) for box in boxes]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="{_FONT}" fill="#1f2933">'
    )
    back = f'<rect width="{_WIDTH}" height="{height}" rx="12" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", back, *_legend(), *drawn, "</svg>", ""])


def _short(frame: str) -> str:
    found = _FRAME.match(frame)
    if not found:
        return frame
    file = re.sub(r"^.*/(?:site-packages|lib/python3\.\d+)/", "", found["file"])
    if file.startswith("/"):
        # Not below a place that is known: the machine's own path is not shown.
        file = file.rpartition("/")[2]
    return f"{found['function']} ({file})"


def _shares(counts: Counter[str]) -> list[tuple[str, float]]:
    return [(name, count / counts.total()) for name, count in counts.most_common()]


def _boxes(root: _Node) -> list[tuple[int, float, float, str]]:
    """Level, left edge, width (both as parts of the whole) and name of each box."""
    found, left_over = [], [(0, 0.0, root)]
    while left_over:
        level, left, node = left_over.pop()
        for name, child in sorted(node.children.items()):
            width = child.count / root.count
            found.append((level, left, width, name))
            left_over.append((level + 1, left, child))
            left += width
    return found


def _box(box: tuple[int, float, float, str], height: int) -> str:
    level, left, share, name = box
    inside = _WIDTH - 2 * _MARGIN
    x, width = _MARGIN + left * inside, share * inside
    y = height - _MARGIN - (level + 1) * _ROW
    colour = PLACES.get(place(name), (_OTHERS[1],))[0]
    title = f"<title>{escape(name)}: {share:.1%}</title>"
    rect = f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.3):.1f}" height="{_ROW - 1}" fill="{colour}"/>'
    letters = int((width - 4) / _LETTER)
    if letters < 3:
        return f"<g>{title}{rect}</g>"
    text = name if len(name) <= letters else name[: letters - 1] + "…"
    return f'<g>{title}{rect}<text x="{x + 2:.1f}" y="{y + _ROW - 4.5}">{escape(text)}</text></g>'


def _legend() -> list[str]:
    drawn, x = [], _MARGIN + 4.0
    for name, colour in [*((name, colour) for name, (colour, _) in PLACES.items()), _OTHERS]:
        drawn.append(f'<rect x="{x:.1f}" y="14" width="10" height="10" fill="{colour}"/>')
        drawn.append(f'<text x="{x + 14:.1f}" y="23">{escape(name)}</text>')
        x += 28 + len(name) * _LETTER
    return drawn
