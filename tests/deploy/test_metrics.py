"""Alerts and dashboards: each asks for metrics that are really exposed, and tells when it should and only then."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kind.settings import ROOT
from tests.deploy import envoy
from tests.deploy.exposed import ISTIO, SCRAPES, asked_by, by_services, in_exposition

OBSERVABILITY = ROOT / "deploy" / "observability"
RULES = sorted((OBSERVABILITY / "prometheus" / "rules").glob("*.yaml"))
DASHBOARDS = sorted((OBSERVABILITY / "grafana" / "dashboards").glob("*.json"))
UNIT_TESTS = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))


def rules() -> Iterator[dict[str, Any]]:
    """All rules: those that record a metric and those that alert."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def panels() -> Iterator[dict[str, Any]]:
    """All panels of all dashboards."""
    for file in DASHBOARDS:
        yield from json.loads(file.read_text())["panels"]


def queries() -> Iterator[tuple[str, str]]:
    """Where a query stands, and the query."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for file in DASHBOARDS:
        for variable in json.loads(file.read_text())["templating"]["list"]:
            yield f"{file.stem} {variable['name']}", variable["definition"].partition(",")[0].partition("(")[2]


async def test_every_query_names_metrics_that_services_proxies_or_istio_expose(tmp_path: Path) -> None:
    """The services' by their registries, the proxies' by a real Envoy that exposes what our meshConfig asks for."""
    by_proxies = in_exposition(await envoy.exposition(tmp_path))
    recorded = frozenset(rule["record"] for rule in rules() if "record" in rule)
    known = by_services() | by_proxies | recorded | ISTIO | SCRAPES
    missing = {where: sorted(asked_by(query) - known) for where, query in queries() if asked_by(query) - known}
    assert missing == {}
    assert all(asked_by(query) for _, query in queries())


async def test_what_the_mesh_config_asks_proxies_for_is_asked_by_a_query(tmp_path: Path) -> None:
    """Each statistic costs every proxy memory for each of its clusters."""
    asked = frozenset(name for _, query in queries() for name in asked_by(query))
    exposed = in_exposition(await envoy.exposition(tmp_path))
    ours = {
        name for name in exposed if name.startswith(("envoy_cluster_", "envoy_listener_")) and "manager" not in name
    }
    unasked = {name for name in ours - asked if not name.endswith(("_sum", "_count"))}
    # Of the test's own listeners, whose names are no addresses.
    assert {name for name in unasked if not name.endswith("_no_filter_chain_match")} == set()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (
            'sum by (a, le) (rate(x_total{a="b(c)", d=~"e|f"}[5m])) / on (g) group_left (h) y > bool 0.5',
            {"x_total", "y"},
        ),
        ("histogram_quantile(0.99, sum without (pod) (rate(z_bucket[1m] offset 5m)))", {"z_bucket"}),
        ('label_replace(edge:calls:rate1m, "a", "$1", "b", "c(.*)") unless up == 0', {"edge:calls:rate1m", "up"}),
        ("absent(a_b) or vector(1e3)", {"a_b"}),
    ],
)
def test_the_metrics_of_a_query_are_found(query: str, names: set[str]) -> None:
    assert asked_by(query) == names


def test_every_alert_says_how_bad_it_is_what_happened_and_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
            assert set(rule["annotations"]) == {"summary", "do"}, rule["alert"]


def test_every_alert_has_a_unit_test() -> None:
    tested = "".join(file.read_text() for file in UNIT_TESTS)
    assert {rule["alert"] for rule in rules() if "alert" in rule and rule["alert"] not in tested} == set()


def test_the_alerts_begin_and_end_as_their_unit_tests_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH (Prometheus has it; Debian: apt install prometheus)")
    done = subprocess.run(
        [promtool, "test", "rules", *map(str, UNIT_TESTS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([promtool, "check", "rules", *map(str, RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_rules_and_dashboards_are_deployed() -> None:
    for component, folder, files in (("prometheus", "rules", RULES), ("grafana", "dashboards", DASHBOARDS)):
        said = yaml.safe_load((OBSERVABILITY / component / "kustomization.yaml").read_text())
        named = {name for each in said["configMapGenerator"] for name in each["files"] if name.startswith(folder)}
        assert named == {f"{folder}/{file.name}" for file in files}


def test_every_panel_says_what_it_shows_in_which_unit_and_asks_a_datasource_that_is_there() -> None:
    sources = yaml.safe_load((OBSERVABILITY / "grafana" / "datasources.yaml").read_text())["datasources"]
    known = {source["uid"] for source in sources}
    for panel in panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} <= known


def test_no_two_panels_of_a_dashboard_have_the_same_place() -> None:
    for file in DASHBOARDS:
        places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in json.loads(file.read_text())["panels"]]
        assert len(places) == len(set(places))


def test_what_the_pages_are_sent_from_is_a_service_of_the_bundle() -> None:
    """Hosts in datasources and configurations are Services of the components, with their ports."""
    text = "".join((OBSERVABILITY / name).read_text() for name in ("grafana/datasources.yaml", "kiali/config.yaml"))
    for service, port in (("prometheus", 9090), ("jaeger", 16686)):
        assert f"http://{service}.observability.svc.cluster.local:{port}" in text
        documents = yaml.safe_load_all((OBSERVABILITY / service / f"{service}.yaml").read_text())
        ports = [
            each["port"]
            for document in documents
            if document["kind"] == "Service"
            for each in document["spec"]["ports"]
        ]
        assert port in ports
