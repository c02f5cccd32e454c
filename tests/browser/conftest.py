"""A real Chromium on the real pages. A console error, a failed response or a request to another host fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)
from pytest_django.live_server_helper import LiveServer

from reviewapp.accounts.models import User
from tests.browser.chromium import FLAGS
from tests.cast import sign_in_client

NO_BROWSER = "Chromium not found. Install Debian's package `chromium`, or set CHROMIUM to the program's path."
# Milliseconds; far above what a page needs, so that a busy machine fails no test.
TIMEOUT = 60_000

OpenPage = Callable[..., Page]

expect.set_options(timeout=TIMEOUT)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of this folder; pytest calls it for no other."""
    item.add_marker("browser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser tests last, after the quick ones."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None or not Path(program).exists():
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, and Django refuses ORM queries beside one.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """Errors of the pages, one line each. A test that causes some on purpose clears the list."""
    errors: list[str] = []
    yield errors
    assert errors == []


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer, page_errors: list[str]) -> Iterator[OpenPage]:
    """Open a page in a context of its own, signed in as `user` if one is passed.

    Other arguments go to Playwright's new_context: `viewport`, `color_scheme`, `java_script_enabled`.
    """
    contexts: list[BrowserContext] = []

    def open_new_page(user: User | None = None, **options: object) -> Page:
        context = browser.new_context(base_url=live_server.url, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(TIMEOUT)
        _watch(context, live_server.url, page_errors)
        if user is not None:
            session = sign_in_client(user).cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        return context.new_page()

    yield open_new_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page that is not signed in."""
    return open_page()


def _watch(context: BrowserContext, base_url: str, page_errors: list[str]) -> None:
    def on_console(message: ConsoleMessage) -> None:
        # A refused request is also logged as a failed resource; on_response checks the status.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            page_errors.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.netloc != urlsplit(base_url).netloc:
            page_errors.append(f"request to another host: {request.url}")

    def on_response(response: Response) -> None:
        is_file = urlsplit(response.url).path.startswith(f"/{settings.STATIC_URL.strip('/')}/")
        if response.status >= 500 or (is_file and response.status >= 400):
            page_errors.append(f"{response.status}: {response.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: page_errors.append(f"exception: {error.error}"))
    context.on("request", on_request)
    context.on("response", on_response)
