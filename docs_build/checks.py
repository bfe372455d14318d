"""What a strict build does not see in the built site: dead links of pages that are made, pages left out, and whatever
is loaded from outside."""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

_REFERENCE = re.compile(
    r"""<(?!link\ rel="?canonical)(a|img|script|link|iframe|source|video)\b[^>]*?\s(?:href|src)=["']?([^"'\s>]+)""",
    re.VERBOSE,
)
_ANCHOR = re.compile(r"""\s(?:id|name)=["']?([^"'\s>]+)""")
_OUTSIDE_IN_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^)'\"\s]+)")
_MARKDOWN_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
# The theme makes it by script.
_SKIP = "__skip"


def faults(site: Path) -> list[str]:
    """Everything that is wrong with the site built into the folder ``site``, one sentence each.

    Dead are links to a file that is not there, or to an anchor that its page does not have. Outside is whatever a page
    would load from another host; a link that a reader may follow is not.
    """
    found = []
    for file in sorted(site.rglob("*.html")):
        here = file.relative_to(site)
        for tag, address in dict.fromkeys(_REFERENCE.findall(file.read_text(encoding="utf-8"))):
            link = urlsplit(html.unescape(address))
            if link.netloc and tag != "a":
                found.append(f"{here} loads {address} from outside")
            elif not (link.scheme or link.netloc):
                path = unquote(link.path)
                target = (site / path.lstrip("/") if path.startswith("/") else file.parent / path) if path else file
                if why := _dead(target, unquote(link.fragment)):
                    found.append(f"{here} links to {address}, {why}")
    for file in sorted(site.rglob("*.css")):
        outside = _OUTSIDE_IN_CSS.findall(file.read_text(encoding="utf-8"))
        found += [f"{file.relative_to(site)} loads {address} from outside" for address in outside]
    return found


def navigation_faults(configuration: str, docs: Path) -> list[str]:
    """Pages below ``docs`` that the text of ``mkdocs.yml`` does not name, and names there that have no page."""
    named = set(re.findall(r"\S+\.md$", configuration, re.MULTILINE))
    there = {file.relative_to(docs).as_posix() for file in docs.rglob("*.md")}
    return [f"docs/{name} is not in the navigation: add it to mkdocs.yml" for name in sorted(there - named)] + [
        f"mkdocs.yml names {name}, which is not in docs" for name in sorted(named - there)
    ]


def dead_in_markdown(file: Path, docs: Path, site: Path) -> list[str]:
    """Dead links of a page that is read outside the site, such as the README: to files, and to anchors in ``docs``."""
    found = []
    for path, anchor in _MARKDOWN_LINK.findall(file.read_text(encoding="utf-8")):
        target = file.parent / path
        page = anchor and target.is_relative_to(docs) and (site / target.relative_to(docs)).with_suffix(".html")
        if why := _dead(page, anchor) if page else _dead(target, ""):
            found.append(f"{file.name} links to {path}{'#' * bool(anchor)}{anchor}, {why}")
    return found


def _dead(target: Path, anchor: str) -> str | None:
    if not target.exists():
        return "which is not there"
    return "which has no such anchor" if anchor not in ("", _SKIP) and anchor not in _anchors(target) else None


@cache
def _anchors(page: Path) -> set[str]:
    return {html.unescape(anchor) for anchor in _ANCHOR.findall(page.read_text(encoding="utf-8"))}
