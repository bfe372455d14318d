"""Builds the docs site into build/site and checks it. Exit status 0: built, complete, no dead link, nothing outside."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from config.settings import Settings
from docs_build import checks, settings_reference

PROJECT = Path(__file__).parents[1]
# Read outside the site, with links into it.
READ_ELSEWHERE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def main() -> int:
    """Build and check. Returns the exit status, after one line for each fault."""
    argparse.ArgumentParser(prog="make docs", description=__doc__).parse_args()
    docs, build = PROJECT / "docs", PROJECT / "build"
    example = (docs / "all-settings.env").read_text(encoding="utf-8")
    settings = settings_reference.page(settings_reference.sections(Settings, example))
    (build / "docs").mkdir(parents=True, exist_ok=True)
    (build / "docs" / "settings.md").write_text(settings, encoding="utf-8")
    shutil.rmtree(build / "site", ignore_errors=True)
    zensical = Path(sys.executable).with_name("zensical")
    built = subprocess.run(  # noqa: S603 - our own command
        [str(zensical), "build", "--clean", "--strict", "--config-file", "mkdocs.yml"], cwd=PROJECT, check=False
    )
    if built.returncode:
        return 1
    site = build / "site"
    config = yaml.safe_load((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"))
    found = checks.left_out(config["nav"], docs) + checks.faults(site)
    found += [fault for name in READ_ELSEWHERE for fault in checks.dead_in_markdown(PROJECT / name, docs, site)]
    for fault in found:
        print(fault, file=sys.stderr)
    pages = len(list(site.rglob("*.html")))
    print(f"{pages} pages in build/site, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
