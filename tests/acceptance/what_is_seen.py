"""What people see of a running system: what ``parley`` tells an operator, and the alerts that are sent."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from json import loads
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from simulation.servers.system import RunningSystem
from tests.acceptance.alert_expressions import Unknown, firing
from worker.cli import main

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs/what-you-see.md"
RULES = [
    rule
    for group in yaml.safe_load((PROJECT / "deploy/prometheus/parley.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
INHIBITED = yaml.safe_load((PROJECT / "deploy/alertmanager/alertmanager.yml").read_text())["inhibit_rules"]

# In the place of a figure.
FIGURE = "\N{HORIZONTAL ELLIPSIS}"


@contextmanager
def operated(settings: Mapping[str, str], folder: Path) -> Iterator[RunningSystem]:
    """A running system whose operator is this process: it has the system's environment and works in ``folder``.

    Commands that run in this process set up its logs; afterwards they are as before.
    """
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch, RunningSystem(settings=settings) as system:
        for name, value in system.environment.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        yield system
    root.handlers[:], root.level = before


def table(heading: str = "") -> list[list[str]]:
    """The cells of the table below a heading of the page; '' = the one at its top."""
    sections = {each.partition("\n")[0]: each for each in PAGE.read_text().split("\n## ")}
    section = next(text for name, text in sections.items() if name == (heading or "# What you see"))
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def parley(*words: str) -> str:
    """What the command prints, run in this process: to start one for each look would take most of the time.

    Of a command whose answer is no, the sentence on standard error."""
    out, err, arguments = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["parley", *words]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit:
        pass
    finally:
        sys.argv = arguments
    return out.getvalue() or err.getvalue()


def needs() -> list[dict[str, str]]:
    return list(loads(parley("status", "--json"))["needs"])


class Seen:
    """What everybody says at this moment."""

    def __init__(self, system: RunningSystem) -> None:
        self._system = system

    def alerts(self) -> dict[str, list[str]]:
        """Summaries of the alerts that reach somebody, by name, without a look at how long they hold."""
        samples, found = list(self._samples()), {}
        for rule in RULES:
            try:
                active = firing(rule["expr"], samples)
            except Unknown:
                continue
            if active:
                found[rule["alert"]] = [_summary(rule["annotations"]["summary"], labels) for labels, _ in active]
        told_beside = {
            name
            for rule in INHIBITED
            for name in found
            if any(_matches(source, rule["source_matchers"]) for source in found if source != name)
            and _matches(name, rule["target_matchers"])
        }
        return {name: said for name, said in found.items() if name not in told_beside}

    def figure(self, name: str, labels: dict[str, str]) -> float:
        """The sum of a metric of all processes, of the samples with these labels."""
        samples = [each for each in self._samples() if each.name == name and labels.items() <= each.labels.items()]
        return sum(each.value for each in samples)

    def _samples(self) -> Iterator[Sample]:
        processes = [("worker", self._system.workers), ("beat", self._system.beats), ("web", self._system.webs)]
        for kind, started in processes:
            for number, process in enumerate(started):
                if process.poll() is None:
                    log = self._system.log_of(kind, number)
                    port = re.search(r"metrics and health on 127\.0\.0\.1 port (\d+)", log)
                    yield from _scraped(int(port[1])) if port else ()


def _scraped(port: int) -> Iterator[Sample]:
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=1.0, trust_env=False).text
    except httpx.TransportError:
        return
    for family in text_string_to_metric_families(text):
        yield from family.samples


def _summary(text: str, labels: dict[str, str]) -> str:
    said = re.sub(r"{{ \$labels\.(\w+) }}", lambda label: labels[label[1]], text)
    return re.sub(r"{{ \$value[^}]*}}", FIGURE, said)


def _matches(name: str, matchers: list[str]) -> bool:
    return all(re.fullmatch(matcher.partition("=")[2].lstrip("~ ").strip(), name) for matcher in matchers)
