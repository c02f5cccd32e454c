"""Which tests run on which database, and the people all of them know."""

import hypothesis
import pytest

pytest_plugins = ["tests.cast", "tests.connected_project"]

DATABASE_FIXTURES = {"db", "transactional_db"}

# The same examples each time, however slow the machine: a red test is red for everybody.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("steady")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, only what touches the database runs again; browser tests prove the pages, once."""
    on_postgres = config.getoption("--database") == "postgres"
    chosen = [item for item in items if _belongs(item, on_postgres)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _belongs(item: pytest.Item, on_postgres: bool) -> bool:
    if not on_postgres:
        return item.get_closest_marker("postgres") is None
    fixtures: list[str] = getattr(item, "fixturenames", [])
    touches = item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)
    return touches and item.get_closest_marker("browser") is None
