"""The dashboard and the alert rules name metrics that exist."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from reviewapp.accounts.models import Project
from reviewapp.insights import metrics

FOLDER = Path(settings.BASE_DIR) / "docs" / "deploy"
DOCUMENTATION = (FOLDER.parent / "production.md").read_text()
NAME = re.compile(r"review_desk_\w+")


def read_expressions() -> list[str]:
    """Every expression of the dashboard and of the alert rules."""
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    alerts = yaml.safe_load((FOLDER / "prometheus-alerts.yaml").read_text())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return panels + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]


def list_metrics() -> set[str]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def test_they_name_metrics_that_exist(project: Project) -> None:
    named = {name for expression in read_expressions() for name in NAME.findall(expression)}
    assert named <= list_metrics()


def test_the_dashboard_shows_every_metric(project: Project) -> None:
    assert list_metrics() == {name for expression in read_expressions() for name in NAME.findall(expression)}


def test_every_metric_is_documented(project: Project) -> None:
    assert list_metrics() <= set(NAME.findall(DOCUMENTATION))


def test_every_alert_says_what_to_do() -> None:
    (group,) = yaml.safe_load((FOLDER / "prometheus-alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        assert {"alert", "expr", "for", "labels", "annotations"} == rule.keys()
        assert rule["annotations"].keys() == {"summary", "description"}
        assert timedelta(minutes=int(rule["for"].removesuffix("m"))) > timedelta()


@pytest.mark.parametrize("key", ["id", "gridPos", "title"])
def test_the_panels_are_distinct(key: str) -> None:
    panels = json.loads((FOLDER / "grafana-dashboard.json").read_text())["panels"]
    assert len({json.dumps(panel[key]) for panel in panels}) == len(panels)
