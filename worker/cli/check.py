"""``parley check``: whether store and settings can keep what they promise."""

from __future__ import annotations

from config.settings import SettingsError
from worker.adapters.self_tests import of_personas
from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.condition import Condition
from worker.cli.ending import No
from worker.cli.needs import needs, sentence
from worker.cli.session import session
from worker.cli.status import condition_of
from worker.observability.checks import Finding
from worker.processes.start_up import examine

# Looked at by the checks of the store already.
_CHECKED = ("store", "queues")


def check(json: AsJson = False) -> None:
    """Check the settings, the store and what goes on. Exit status 1 when something is sure to go wrong."""
    try:
        with session(any_layout=True) as opened:
            found, answers = examine(opened.settings, opened.store)
            found += of_personas(opened.settings, opened.store.trigger_types.recent() if answers else ())
            if answers and not any(finding.forbids_work for finding in found):
                found += of_work(condition_of(opened))
    except SettingsError as fault:
        found = [Finding("settings", "failure", str(fault), "correct these variables or .env")]
    if json:
        screen.as_json(found)
    else:
        _print(found)
    failures = [finding.check for finding in found if finding.level == "failure"]
    if failures:
        raise No(f"Failed: {', '.join(failures)}.")


def of_work(condition: Condition) -> list[Finding]:
    """What needs a person at this moment, in the words of ``parley status``. It says nothing of settings or store, so
    it is no failure: a check before the first start must be passed."""
    found = [
        Finding(need.about, "warning", need.what, f"{need.do} ({need.page})")
        for need in needs(condition)
        if need.about not in _CHECKED
    ]
    return found or [Finding("work", "ok", sentence(condition))]


def _print(found: list[Finding]) -> None:
    width = max(len(finding.check) for finding in found)
    for finding in found:
        first, *further = finding.means.splitlines()
        screen.say(f"{finding.level:<8} {finding.check:<{width}}  {first}")
        for line in further:
            screen.say(f"{'':<8} {'':<{width}}  {line.strip()}")
        if finding.remedy:
            screen.say(f"{'':<8} {'':<{width}}  to do: {finding.remedy}")
