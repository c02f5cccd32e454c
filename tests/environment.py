"""Set the environment before Django reads its settings: a temporary data folder, test secrets, the database.

A pytest plugin, named in pyproject.toml, because conftest files load after the settings.
"""

import os
import tempfile
from pathlib import Path

import pytest
from django.conf import settings

from tests import postgres_server

# A developer's shell may set these for a real installation; tests must not see them.
UNSET_VARIABLES = (
    "ALLOWED_HOSTS AUDIT_KEY CONN_MAX_AGE CSRF_TRUSTED_ORIGINS DATABASE_URL DEBUG EMAIL_URL FAILPOINTS KEY_DIR"
    " LOG_LEVEL MASTER_KEYS METRICS_TOKEN MODE SECRETS_DIR SECURE_COOKIES TRUSTED_PROXIES"
).split()

IS_POSTGRES_MISSING = pytest.StashKey[bool]()
# Set only if the session started its own server.
POSTGRES_SERVER = pytest.StashKey[postgres_server.PostgresServer]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["sqlite", "postgres"],
        default="sqlite",
        help="sqlite: run every test. postgres: run the tests that use the database.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="reviewapp-tests-")
    early_config.add_cleanup(folder.cleanup)
    for name in UNSET_VARIABLES:
        os.environ.pop(name, None)
    # make mutants sets TEST_DATA_DIR, which has a database for --reuse-db.
    os.environ["DATA_DIR"] = os.environ.get("TEST_DATA_DIR") or folder.name
    os.environ["SECRET_KEY"] = "a secret for tests, long enough and known to everybody"
    os.environ["KEY_ENCRYPTION_KEYS"] = "a master key for tests,the master key before it"
    os.environ["AUDIT_KEY"] = "a key for the audit logs of tests, known to all"
    os.environ["KEY_DIR"] = os.path.join(os.environ["DATA_DIR"], "keys")
    os.environ["ALLOWED_LAMINAR_HOSTS"] = "127.0.0.1"
    # Tests that stop a web app need not wait for load balancers.
    os.environ["DRAIN_SECONDS"] = "0"
    if early_config.known_args_namespace.database == "postgres":
        url = _postgres_url(early_config)
        early_config.stash[IS_POSTGRES_MISSING] = url is None
        if url is not None:
            os.environ["DATABASE_URL"] = url


def pytest_configure() -> None:
    # A secure password hash would take half of the test time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.stash.get(IS_POSTGRES_MISSING, False):
        for item in items:
            item.add_marker(pytest.mark.skip(postgres_server.NOT_INSTALLED))


def _postgres_url(config: pytest.Config) -> str | None:
    """Return a server's URL, None without PostgreSQL. Raises UsageError instead of None if REQUIRE_POSTGRES is set."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        return url
    binaries = postgres_server.find_binaries()
    if binaries is None:
        if os.environ.get("REQUIRE_POSTGRES"):
            raise pytest.UsageError(postgres_server.NOT_INSTALLED)
        return None
    folder = tempfile.TemporaryDirectory(prefix="reviewapp-postgres-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    server = postgres_server.PostgresServer(binaries, Path(folder.name))
    config.add_cleanup(server.stop)
    config.stash[POSTGRES_SERVER] = server
    return server.start()
