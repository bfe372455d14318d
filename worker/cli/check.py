"""``parley check``: whether store and settings can keep what they promise."""

from __future__ import annotations

from config.settings import SettingsError
from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.ending import No
from worker.cli.session import session
from worker.observability.checks import Finding
from worker.processes.start_up import examine


def check(json: AsJson = False) -> None:
    """Check the settings and the store. Exit status 1 when something is sure to go wrong."""
    try:
        with session(any_layout=True) as opened:
            found, _ = examine(opened.settings, opened.store)
    except SettingsError as fault:
        found = [Finding("settings", "failure", str(fault), "correct these variables or .env")]
    if json:
        screen.as_json(found)
    else:
        _print(found)
    failures = [finding.check for finding in found if finding.level == "failure"]
    if failures:
        raise No(f"Failed: {', '.join(failures)}.")


def _print(found: list[Finding]) -> None:
    width = max(len(finding.check) for finding in found)
    for finding in found:
        first, *further = finding.means.splitlines()
        screen.say(f"{finding.level:<8} {finding.check:<{width}}  {first}")
        for line in further:
            screen.say(f"{'':<8} {'':<{width}}  {line.strip()}")
        if finding.remedy:
            screen.say(f"{'':<8} {'':<{width}}  to do: {finding.remedy}")
