"""A dead link, a page left out and anything from outside are found."""

from __future__ import annotations

import pytest

from docs_build.checks import dead_in_markdown, faults, navigation_faults


@pytest.fixture
def site(tmp_path):
    """A folder with one page to link to, and a way to add the page under test."""
    folder = tmp_path / "site"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "other.html").write_text('<h2 id="here">Here</h2>')

    def write(body: str, name: str = "index.html"):
        (folder / name).write_text(body)
        return folder

    return write


@pytest.mark.parametrize(
    "body",
    [
        '<a href="below/other.html">a page</a>',
        '<a href="below/other.html#here">a place in it</a>',
        '<h1 id="top">x</h1><a href="#top">on this page</a>',
        '<a href="/below/other.html">from the root</a>',
        '<a href="https://example.com/x">a reader may go there</a>',
        '<link rel="canonical" href="https://docs.example.com/">',
        '<img src="data:image/png;base64,AA==">',
    ],
)
def test_what_is_there_is_no_fault(site, body):
    assert faults(site(body)) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="missing.html">x</a>', "index.html links to missing.html, which is not there"),
        ('<img src="missing.svg">', "index.html links to missing.svg, which is not there"),
        (
            '<a href="below/other.html#there">x</a>',
            "index.html links to below/other.html#there, which has no such anchor",
        ),
        ('<a href="#there">x</a>', "index.html links to #there, which has no such anchor"),
        ('<script src="https://cdn.test/x.js"></script>', "index.html loads https://cdn.test/x.js from outside"),
        ('<link rel="stylesheet" href="//fonts.test/f">', "index.html loads //fonts.test/f from outside"),
        ("<iframe title=x src=https://frame.test/x>", "index.html loads https://frame.test/x from outside"),
    ],
)
def test_each_fault_is_named(site, body, fault):
    assert faults(site(body)) == [fault]


def test_a_style_sheet_that_loads_from_outside_is_named(site):
    folder = site("@import url('https://fonts.test/f.css'); p { background: url(//pictures.test/x.png) }", "a.css")
    assert faults(folder) == [
        "a.css loads https://fonts.test/f.css from outside",
        "a.css loads //pictures.test/x.png from outside",
    ]


def test_navigation_and_pages_have_to_agree(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("index.md", "below/a.md", "a.md"):
        (tmp_path / name).touch()
    assert navigation_faults("nav:\n  - Home: index.md\n  - below/a.md\n  - Gone: gone.md\n", tmp_path) == [
        "docs/a.md is not in the navigation: add it to mkdocs.yml",
        "mkdocs.yml names gone.md, which is not in docs",
    ]


def test_links_of_a_page_outside_the_site_are_followed_into_it(tmp_path):
    docs, site = tmp_path / "docs", tmp_path / "site"
    for folder, name, text in [(docs, "a.md", ""), (site, "a.html", '<h2 id="here">')]:
        folder.mkdir()
        (folder / name).write_text(text)
    readme = tmp_path / "README.md"
    readme.write_text(
        "[1](docs/a.md) [2](docs/a.md#here) [3](docs/a.md#gone) [4](b.md) [5](https://example.com/) [6](docs/) [7](#x)"
    )
    assert dead_in_markdown(readme, docs, site) == [
        "README.md links to docs/a.md#gone, which has no such anchor",
        "README.md links to b.md, which is not there",
    ]
