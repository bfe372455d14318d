"""What the built site has to be: complete, without a dead link, and without a word to anybody outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("video", "src")}
_OUTSIDE_IN_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"\s]+")
_LEADS_NOWHERE = re.compile(r"\]\[worker\.[\w.]+\]")
_MARKDOWN_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")


@dataclass
class _Page(HTMLParser):
    """What a page links to, loads, and can be linked to."""

    links: list[str] = field(default_factory=list)
    words: str = ""
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """HTMLParser's own hook."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        for name, value in values.items():
            if (tag, name) in _FETCHED and values.get("rel") != "canonical":
                self.loaded.append(value)
            elif tag == "a" and name == "href":
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        """HTMLParser's own hook."""
        self.words += data


def faults(site: Path) -> list[str]:
    """Everything that is wrong with the site built into the folder ``site``, one sentence each.

    Dead are links to a file that is not there, or to an anchor that its page does not have. Outside is whatever a page
    would load from another host; a link that a reader may follow is not.
    """
    found = []
    for file in sorted(site.rglob("*.html")):
        page, here = _read(file), file.relative_to(site)
        found += [f"{here} loads {address} from outside" for address in page.loaded if urlsplit(address).netloc]
        found += [
            f"{here} links to {link}, {why}" for link in page.links + page.loaded if (why := _dead(site, file, link))
        ]
        found += [f"{here} shows a reference that leads nowhere: {each}" for each in _LEADS_NOWHERE.findall(page.words)]
    for file in sorted(site.rglob("*.css")):
        text = file.read_text(encoding="utf-8")
        found += [f"{file.relative_to(site)}: {match[0]} is outside" for match in _OUTSIDE_IN_CSS.finditer(text)]
    return found


def left_out(nav: Any, docs: Path) -> list[str]:
    """Faults of the navigation: pages below ``docs`` that it does not name, and pages that it names and that are not
    there."""
    named, there = set(_named(nav)), {file.relative_to(docs).as_posix() for file in docs.rglob("*.md")}
    return [f"docs/{name} is not in the navigation: add it to mkdocs.yml" for name in sorted(there - named)] + [
        f"mkdocs.yml names {name}, which is not in docs" for name in sorted(named - there)
    ]


def dead_in_markdown(file: Path, docs: Path, site: Path) -> list[str]:
    """Dead links of a page that is read outside the site, such as the README: to files, and to anchors in ``docs``."""
    found = []
    for target, anchor in _MARKDOWN_LINK.findall(file.read_text(encoding="utf-8")):
        linked = (file.parent / target).resolve() if target else file
        if not linked.exists():
            found.append(f"{file.name} links to {target}, which is not there")
        elif anchor and linked.is_relative_to(docs.resolve()):
            built = (site / linked.relative_to(docs.resolve())).with_suffix(".html")
            if anchor not in _read(built).anchors:
                found.append(f"{file.name} links to {target}#{anchor}, which has no such anchor")
    return found


def _dead(site: Path, file: Path, link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or link == "":
        return None
    path = unquote(parts.path)
    target = (site / path.lstrip("/") if path.startswith("/") else file.parent / path).resolve() if path else file
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "which is not there"
    if parts.fragment and target.suffix == ".html" and not _has_anchor(target, unquote(parts.fragment)):
        return "which has no such anchor"
    return None


def _has_anchor(file: Path, anchor: str) -> bool:
    # The theme makes these two by script: the top of a page, and the switch of a tab.
    return anchor in _read(file).anchors or anchor in ("", "__skip")


@cache
def _read(file: Path) -> _Page:
    page = _Page()
    page.feed(file.read_text(encoding="utf-8"))
    return page


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for each in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _named(each)
