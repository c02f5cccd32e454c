"""Load the shared fixtures, and select the tests for the chosen database."""

import hypothesis
import pytest

from reviewapp.lib import clock

pytest_plugins = ["tests.cast", "tests.connected_project"]

DATABASE_FIXTURES = {"db", "transactional_db"}

# Same examples in each run and no deadline, so that a failure reproduces on every machine.
hypothesis.settings.register_profile("deterministic", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("deterministic")

# The tests travel in time; processes that they start follow the database's clock.
clock.follow_host()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, run only the tests that use the database, without browser tests."""
    on_postgres = config.getoption("--database") == "postgres"
    selected = [item for item in items if _is_selected(item, on_postgres)]
    config.hook.pytest_deselected(items=[item for item in items if item not in selected])
    items[:] = selected


def _is_selected(item: pytest.Item, on_postgres: bool) -> bool:
    if not on_postgres:
        return item.get_closest_marker("postgres") is None
    fixtures: list[str] = getattr(item, "fixturenames", [])
    if item.get_closest_marker("sqlite") is not None:
        return False
    uses_database = item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)
    return uses_database and item.get_closest_marker("browser") is None
