"""The wheel in an environment of its own, outside the checkout."""

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import Browser, make_review_fields
from benchmarks.environment import free_port
from benchmarks.wheel import build_wheel, install_wheel, make_environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_wheel(build_wheel(), tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def demo(command: Path, home: Path) -> Iterator[dict[str, Any]]:
    """The JSON that the demo prints once it has started."""
    environment = make_environment(home, PORT=str(free_port()), STORE_PORT=str(free_port()))
    with subprocess.Popen(
        [command, "demo", "--json"], cwd=home, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)


def test_it_reviews_an_item(demo: dict[str, Any]) -> None:
    person = next(person for person in demo["people"] if person["role"] == "reviewer")
    browser = Browser(demo["url"])
    browser.sign_in(person["username"], person["password"])
    page = browser.get(f"/p/{demo['project']}/queues/{demo['queue']}/review/")
    response = browser.post(page.location, {**make_review_fields(page.body, 0), "score": "0.5"})
    assert response.status == 302


def test_it_serves_collected_static_files(demo: dict[str, Any]) -> None:
    with urllib.request.urlopen(f"{demo['url']}/accounts/login/") as response:
        page = response.read().decode()
    path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    with urllib.request.urlopen(demo["url"] + path) as response:
        assert "immutable" in response.headers["Cache-Control"]


def test_it_keeps_its_data_in_the_users_folder(demo: dict[str, Any], home: Path) -> None:
    folder = home / ".local" / "share" / "review-desk"
    assert {"reviewapp.sqlite3", "tracestore.sqlite3", "secret_key"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["serve", "worker", "store", "migrate", "createadmin", "doctor", "backup"])
def test_it_has_every_command(command: Path, tmp_path: Path, name: str) -> None:
    environment = make_environment(tmp_path)
    output = subprocess.run(
        [command, name, "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert output.stdout.startswith(f"usage: review-desk {name} ")
