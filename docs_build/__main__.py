"""Builds the docs site into build/site and checks it. Exit status 0: built, complete, no dead link, nothing outside."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from config.settings import Settings
from docs_build import checks, command_reference, settings_reference

PROJECT = Path(__file__).parents[1]
# Read outside the site, with links into it.
READ_ELSEWHERE = ("README.md", "CONTRIBUTING.md")


def main() -> int:
    """Build and check. Returns the exit status, after one line for each fault."""
    argparse.ArgumentParser(prog="make docs", description=__doc__).parse_args()
    docs, site = PROJECT / "docs", PROJECT / "build" / "site"
    # A wrong navigation appears on every page, so it is reported alone.
    if found := checks.navigation_faults((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"), docs):
        return _report(found)
    _write_made_pages(PROJECT / "build" / "docs")
    shutil.rmtree(site, ignore_errors=True)
    zensical = Path(sys.executable).with_name("zensical")
    built = subprocess.run(  # noqa: S603 - our own command
        [str(zensical), "build", "--clean", "--strict", "--config-file", "mkdocs.yml"], cwd=PROJECT, check=False
    )
    if built.returncode:
        return 1
    found = checks.faults(site)
    found += [fault for name in READ_ELSEWHERE for fault in checks.dead_in_markdown(PROJECT / name, docs, site)]
    print(f"{len(list(site.rglob('*.html')))} pages in build/site, {len(found)} faults")
    return _report(found)


def _report(faults: list[str]) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _write_made_pages(folder: Path) -> None:
    """What pages of ``docs`` include: made from the code, or kept at the top of the project."""
    example = (PROJECT / "docs" / "all-settings.env").read_text(encoding="utf-8")
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    made = {
        "settings.md": settings_reference.page(settings_reference.sections(Settings, example)),
        "commands.md": command_reference.page(),
        # Links of the project's folder, as they are in docs.
        "changelog.md": changes.replace("](docs/", "]("),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
