"""Flower's own pages with a few styles of ours, so that a row is readable on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

from tornado.template import Loader, Template

_STYLES = Path(__file__).with_name("flower.css").read_text(encoding="utf-8")
_BEGINS_ALL_PAGES = "base.html"


class Pages(Loader):
    """Loads Flower's templates from ``root_directory`` and adds the styles to the one that all others extend."""

    def _create_template(self, name: str) -> Template:
        text = Path(self.root, name).read_text(encoding="utf-8")
        if name == _BEGINS_ALL_PAGES:
            # After Flower's own, which they change.
            text = text.replace("</head>", f"<style>{_STYLES}</style></head>")
        return Template(text, name=name, loader=self)
