"""A real Chromium on the real pages. A page that logs an error, fails to answer or asks another host fails its test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright
from pytest_django.live_server_helper import LiveServer

from reviewapp.accounts.models import User
from tests.browser.chromium import FLAGS
from tests.cast import sign_in_client

ABSENT = "No Chromium was found. Install Debian's package `chromium`, or name the program in CHROMIUM."
PATIENCE = 10_000  # milliseconds

OpenPage = Callable[..., Page]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Called for what lies in this folder only."""
    item.add_marker("browser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the browser run last: the quick tests speak first."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None or not Path(program).exists():
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(ABSENT)
        pytest.skip(ABSENT)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, where Django would then refuse the ORM.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What went wrong in a page, one line each. A test that means to cause some reads them and clears the list."""
    seen: list[str] = []
    yield seen
    assert seen == []


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer, faults: list[str]) -> Iterator[OpenPage]:
    """Open a page in a context of its own, signed in as `user` when one is given.

    Further arguments are Playwright's for a context: `viewport`, `color_scheme`, `java_script_enabled`.
    """
    contexts: list[BrowserContext] = []

    def open_one(user: User | None = None, **options: object) -> Page:
        context = browser.new_context(base_url=live_server.url, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        _watch(context, live_server.url, faults)
        if user is not None:
            session = sign_in_client(user).cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page of nobody: not signed in."""
    return open_page()


def _watch(context: BrowserContext, home: str, faults: list[str]) -> None:
    def on_console(message: ConsoleMessage) -> None:
        # A refused answer is logged as a failed resource too; `on_response` judges answers.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.netloc != urlsplit(home).netloc:
            faults.append(f"request to another host: {request.url}")

    def on_response(response: Response) -> None:
        is_file = urlsplit(response.url).path.startswith(f"/{settings.STATIC_URL.strip('/')}/")
        if response.status >= 500 or (is_file and response.status >= 400):
            faults.append(f"{response.status}: {response.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: faults.append(f"exception: {error.error}"))
    context.on("request", on_request)
    context.on("response", on_response)
