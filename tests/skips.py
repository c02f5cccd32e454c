"""A pytest plugin: list each skipped test with its reason. If CI is set, a skipped test fails the run."""

import os

import pytest

NO_CLICKHOUSE = "ClickHouse not found. Install the extra `clickhouse`."


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.option.reportchars += "s"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _count_refused(session.config) and session.exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if count := _count_refused(terminalreporter.config):
        terminalreporter.write_line(f"CI is set, where no test may be skipped: {count} skipped.", red=True)


def _count_refused(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    # The processes of pytest-xdist have none.
    return len(reporter.stats.get("skipped", [])) if reporter is not None and os.environ.get("CI") else 0
