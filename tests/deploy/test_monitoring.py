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
from worker.observability.store_metrics import StoreFigures
from worker.store.views.figures import Figures, Waiting

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
    for registry in (metrics.worker_registry(), metrics.beat_registry(store), metrics.web_registry()):
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


# ---- Alertmanager ----------------------------------------------------------------------------------------------------

ALERTMANAGER = yaml.safe_load((PROJECT / "deploy/alertmanager/alertmanager.yml").read_text())
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())


def routes(route):
    yield route
    for below in route.get("routes", []):
        yield from routes(below)


def test_every_route_ends_at_a_receiver_that_tells_somebody():
    receivers = {each["name"]: each for each in ALERTMANAGER["receivers"]}
    for route in routes(ALERTMANAGER["route"]):
        told = receivers[route["receiver"]]
        assert [value for name, value in told.items() if name.endswith("_configs") and value]


def test_prometheus_sends_alerts_to_the_alertmanager_of_the_compose_file_and_watches_it():
    config = yaml.safe_load((PROJECT / "deploy/prometheus/prometheus.yml").read_text())
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert "alertmanager" in {job["job_name"] for job in config["scrape_configs"]}
    services = COMPOSE["services"]
    assert set(services["alertmanager"]["networks"]) & set(services["prometheus"]["networks"])
    assert services["alertmanager"]["profiles"] == services["prometheus"]["profiles"]


def test_the_address_of_the_receiver_is_a_secret_that_is_mounted():
    files = re.findall(r"url_file: /run/secrets/(\w+)", (PROJECT / "deploy/alertmanager/alertmanager.yml").read_text())
    assert set(files) <= set(COMPOSE["services"]["alertmanager"]["secrets"])
    assert set(files) <= set(COMPOSE["secrets"])
    assert "$folder/alert_url" in (PROJECT / "deploy/make-secrets").read_text()


def test_what_is_not_told_beside_another_alert_exists():
    known = {alert["alert"] for alert in ALERTS}
    for rule in ALERTMANAGER["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(re.findall(r"Parley\w+", matcher)) <= known


def test_amtool_finds_no_fault(need, tmp_path):
    if not shutil.which("amtool"):
        need("amtool (Debian: prometheus-alertmanager) is not installed")
    # Debian's is older than the image, and than files that hold an address.
    told = (PROJECT / "deploy/alertmanager/alertmanager.yml").read_text()
    (tmp_path / "alertmanager.yml").write_text(
        told.replace("url_file: /run/secrets/alert_url", "url: http://127.0.0.1/")
    )
    command = ["amtool", "check-config", str(tmp_path / "alertmanager.yml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
