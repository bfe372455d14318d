"""Templates become pages: escaping, times, and the few words that pages share."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from config.plain_text import printable
from worker.cli.times import relative, span, utc
from worker.domain.moments import as_datetime
from worker.domain.operator_words import MOST_REASON
from worker.domain.sentences import of_stored
from worker.web.console.buttons import on_page

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
# Longer than any page is looked at: a changed file has another address.
_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def when(at: int | datetime, now: int) -> Markup:
    """A moment, relative, with the exact one for a pointer and for programs. ``at``, ``now``: milliseconds."""
    at_ms = round(at.timestamp() * 1000) if isinstance(at, datetime) else at
    exact = utc(at_ms)
    iso = as_datetime(at_ms).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, exact, relative(at_ms, now))


def handle(text: str) -> Markup:
    """A lead's handle: whatever is in it, it changes nothing around it."""
    return Markup('<bdi class="handle">{}</bdi>').format(printable(text))


def count(number: int, noun: str, nouns: str = "") -> str:
    """Such as "1 event" or "3 events"."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def first_capital(text: str) -> str:
    """A sentence that begins in the middle of another one, as one of its own."""
    return text[:1].upper() + text[1:]


@cache
def file_of(name: str) -> tuple[bytes, str, str] | None:
    """A file of the console: its content, its kind and a mark of its content. None for a name that is none."""
    found = {path.name: path for path in STATIC.iterdir()}.get(name)
    if found is None:
        return None
    content = found.read_bytes()
    return content, _KINDS[found.suffix.removeprefix(".")], hashlib.sha256(content).hexdigest()[:12]


def address_of(name: str) -> str:
    """The address of a file, by which browsers may keep it for ever."""
    found = file_of(name)
    assert found is not None, name  # noqa: S101 - a template names what is there
    return f"/static/{name}?{found[2]}"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        when=when, handle=handle, span=span, count=count, first_capital=first_capital, on_page=on_page
    )
    environment.globals.update(file=address_of, reason_of=of_stored, most_reason=MOST_REASON)
    return environment


def render(template: str, **values: Any) -> str:
    """A page, or a part of one."""
    return _templates().get_template(template).render(values)
