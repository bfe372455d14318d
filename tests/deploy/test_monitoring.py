"""Documents, alert rules and dashboard speak of metrics that exist, and of all of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from worker.observability import metrics
from worker.observability.store_figures import StoreFigures
from worker.store.measures import Figures, Waiting

PROJECT = Path(__file__).parents[2]
RULES = PROJECT / "deploy/prometheus/parley.rules.yml"
DASHBOARD = PROJECT / "deploy/grafana/dashboards/parley.json"
PAGES = PROJECT / "docs/alerts"

ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
PANELS = json.loads(DASHBOARD.read_text())["panels"]
EXPRESSIONS = [alert["expr"] for alert in ALERTS] + [target["expr"] for panel in PANELS for target in panel["targets"]]


def families():
    """All metrics of the code, by name, with their labels as far as they are known."""
    store = StoreFigures(
        lambda: Figures({}, {("ava", "turn"): Waiting()}, {"ava": []}, queues={"turns": 0}), ["ava"], 15
    )
    store.look()
    found = {}
    for registry in (metrics.worker_registry(), metrics.beat_registry(store)):
        for family in registry.collect():
            if family.name.startswith("parley_"):
                found[family.name + ("_total" if family.type == "counter" else "")] = family
    return found


FAMILIES = families()


def test_the_documents_name_exactly_all_metrics():
    rows = re.findall(r"^\| `(parley_\w+)` \|", (PROJECT / "docs/metrics.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(FAMILIES)


def test_each_metric_has_a_help_and_a_unit_in_its_name():
    for name, family in FAMILIES.items():
        assert family.documentation.endswith("."), name
        assert family.type != "histogram" or name.endswith("_seconds"), name


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_expression_asks_for_metrics_that_exist(expression):
    for name in re.findall(r"parley_\w+", expression):
        assert re.sub(r"_(bucket|sum|count)$", "", name) in FAMILIES


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_figures_of_the_store_are_never_added_up_over_schedulers(expression):
    for name in re.findall(r"parley_store_\w+", expression):
        if name in ("parley_store_seconds_bucket", "parley_store_up"):
            continue
        assert re.search(rf"max( by \([a-z, ]+\))? \({name}|max\({name}", expression), expression


def test_each_alert_has_a_page_and_each_page_an_alert():
    named = {PROJECT / alert["annotations"]["runbook_url"] for alert in ALERTS}
    assert named == set(PAGES.glob("*.md")) - {PAGES / "README.md"}
    assert len(named) == len(ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_page_says_what_the_rule_says(alert):
    page = (PROJECT / alert["annotations"]["runbook_url"]).read_text()
    assert page.startswith(f"# {alert['alert']}\n")
    assert f"`{alert['expr']}`" in page
    assert "\n## Look\n" in page
    assert "\n## Do\n" in page
    assert f"| [{alert['alert']}]" in (PAGES / "README.md").read_text()
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"]


@pytest.mark.parametrize(
    "command", [["check", "rules", str(RULES)], ["check", "config", str(RULES.parent / "prometheus.yml")]]
)
def test_promtool_finds_no_fault(command, need):
    if not shutil.which("promtool"):
        need("promtool (Debian: prometheus) is not installed")
    ended = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_dashboard_finds_its_source_of_data():
    provisioned = yaml.safe_load((PROJECT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    (source,) = provisioned["datasources"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
